package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"

	"wherry/internal/daemon"
)

// builtIn are the networks that every container may name. They live in the WASI
// host of each container, so nothing stands behind them that could be made or
// removed. The IDs are fixed: compose remembers them.
var builtIn = []network.Network{
	builtInNetwork("bridge", "private"),
	builtInNetwork("host", "host"),
	builtInNetwork("none", "null"),
}

func builtInNetwork(name, driver string) network.Network {
	return network.Network{
		Name: name, ID: daemon.NetworkID(name), Driver: driver, Scope: "local",
		IPAM:    network.IPAM{Driver: "default", Config: []network.IPAMConfig{}},
		Options: map[string]string{}, Labels: map[string]string{},
	}
}

func networkRoutes() []route {
	create := unbuilt("making networks is not built; containers use bridge, host or none")
	connect := unbuilt("connecting containers to networks is not built; choose bridge, host or none with --network at create")
	return []route{
		{"GET", "/networks", networkList},
		{"POST", "/networks/create", create},
		{"POST", "/networks/prune", networksPrune},
		{"GET", "/networks/{id}", networkInspect},
		{"DELETE", "/networks/{id}", networkRemove},
		{"POST", "/networks/{id}/connect", connect},
		{"POST", "/networks/{id}/disconnect", connect},
	}
}

// matches tells whether a built-in network passes the filters.
func matches(n network.Network, f map[string][]string) (bool, error) {
	oneOf := func(values []string, fits func(string) bool) bool {
		return len(values) == 0 || slices.ContainsFunc(values, fits)
	}
	for key, values := range f {
		ok := false
		switch key {
		case "name":
			ok = oneOf(values, func(v string) bool { return strings.Contains(n.Name, v) })
		case "id":
			ok = oneOf(values, func(v string) bool { return strings.HasPrefix(n.ID, v) })
		case "driver":
			ok = oneOf(values, func(v string) bool { return v == n.Driver })
		case "scope":
			ok = oneOf(values, func(v string) bool { return v == n.Scope })
		case "type":
			ok = oneOf(values, func(v string) bool { return v == "builtin" })
		case "label":
			ok = len(values) == 0 // they have none
		case "dangling":
			ok = oneOf(values, func(v string) bool { return v == "false" || v == "0" })
		default:
			return false, invalid("invalid filter %q", key)
		}
		if !ok {
			return false, nil
		}
	}
	return true, nil
}

func networkList(w http.ResponseWriter, r *http.Request, _ vars) error {
	f, err := filters(r)
	if err != nil {
		return err
	}
	out := []network.Summary{}
	for _, n := range builtIn {
		ok, err := matches(n, f)
		if err != nil {
			return err
		}
		if ok {
			out = append(out, network.Summary{Network: n})
		}
	}
	return writeJSON(w, http.StatusOK, out)
}

// findNetwork takes a name, an ID or the beginning of one.
func findNetwork(id string) (network.Network, error) {
	for _, n := range builtIn {
		if n.Name == id || n.ID == id || len(id) >= 12 && strings.HasPrefix(n.ID, id) {
			return n, nil
		}
	}
	return network.Network{}, fmt.Errorf("network %s not found: %w", id, errdefs.ErrNotFound)
}

func networkInspect(w http.ResponseWriter, _ *http.Request, v vars) error {
	n, err := findNetwork(v["id"])
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, network.Inspect{Network: n, Containers: map[string]network.EndpointResource{}})
}

func networkRemove(_ http.ResponseWriter, _ *http.Request, v vars) error {
	n, err := findNetwork(v["id"])
	if err != nil {
		return err
	}
	return fmt.Errorf("%s is a pre-defined network and cannot be removed: %w", n.Name, errdefs.ErrPermissionDenied)
}

// networksPrune removes nothing: the built-in ones stay, and there are no others.
func networksPrune(w http.ResponseWriter, r *http.Request, _ vars) error {
	if _, err := filters(r); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, network.PruneReport{NetworksDeleted: []string{}})
}
