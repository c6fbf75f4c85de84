//go:build linux

package daemon

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/storage"

	"wherry/internal/daemon/record"
	"wherry/internal/daemon/volume"
)

// driver is the storage driver's name: a flattened tree for each image, and a
// level of its own for each container.
const driver = "tree"

// ContainerInspect answers all that is known of a container.
func (d *Daemon) ContainerInspect(_ context.Context, id string, size bool) (container.InspectResponse, error) {
	c, err := d.find(id)
	if err != nil {
		return container.InspectResponse{}, err
	}
	rec := c.snapshot()
	r := container.InspectResponse{
		ID: rec.ID, Created: rec.Created.Format(time.RFC3339Nano), Name: "/" + rec.Name,
		Path: rec.Path, Args: nonNil(rec.Args), State: stateOf(rec.State), Image: rec.Image.ID,
		RestartCount: rec.RestartCount, Driver: driver, Platform: rec.Image.Platform.OS,
		ExecIDs: d.execs.of(c), HostConfig: rec.HostConfig, Config: rec.Config,
		GraphDriver:             &storage.DriverData{Name: driver, Data: map[string]string{"LowerDir": rec.Image.Tree, "UpperDir": d.records.Upper(rec.ID)}},
		ImageManifestDescriptor: rec.Image.Manifest,
		Mounts:                  mountPoints(rec),
		NetworkSettings:         &container.NetworkSettings{Ports: portsOf(rec), Networks: networksOf(rec)},
	}
	if rec.HostConfig.LogConfig.Type == "json-file" {
		r.LogPath = d.records.Log(rec.ID)
	}
	if h := c.healthNow(); h.Status != container.NoHealthcheck {
		r.State.Health = &h
	}
	if size {
		rw, root := d.sizes(rec)
		r.SizeRw, r.SizeRootFs = &rw, &root
	}
	return r, nil
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// stateOf is a state in the API's form; the zero time is Docker's "never".
func stateOf(s record.State) *container.State {
	return &container.State{
		Status: s.Status, Running: s.Live(), Paused: s.Status == container.StatePaused,
		Restarting: s.Status == container.StateRestarting, Dead: s.Status == container.StateDead,
		OOMKilled: s.OOMKilled, Pid: s.Pid, ExitCode: s.ExitCode, Error: s.Error,
		StartedAt: s.StartedAt.UTC().Format(time.RFC3339Nano), FinishedAt: s.FinishedAt.UTC().Format(time.RFC3339Nano),
	}
}

// mountPoints lists the mounts as Docker does: those of --tmpfs are shown in
// HostConfig only.
func mountPoints(rec record.Container) []container.MountPoint {
	points := []container.MountPoint{}
	for _, m := range rec.Mounts {
		if _, flag := rec.HostConfig.Tmpfs[m.Destination]; !flag {
			points = append(points, m.MountPoint)
		}
	}
	return points
}

// portsOf are the bound ports; never nil, since clients of the API index it.
func portsOf(rec record.Container) network.PortMap {
	ports := maps.Clone(rec.Ports)
	if ports == nil {
		ports = network.PortMap{}
	}
	return ports
}

// networksOf names the container's network. The networks of the embedded
// engine live in the WASI host, so there are no addresses to show.
func networksOf(rec record.Container) map[string]*network.EndpointSettings {
	name := string(rec.HostConfig.NetworkMode)
	return map[string]*network.EndpointSettings{name: {NetworkID: NetworkID(name)}}
}

// sizes are the bytes of the container's own level, and those with the image's.
func (d *Daemon) sizes(rec record.Container) (rw, root int64) {
	rw = volume.DirSize(d.records.Upper(rec.ID))
	return rw, rw + volume.DirSize(rec.Image.Tree)
}

// portSummaries are the bound ports as a list shows them.
func portSummaries(rec record.Container) []container.PortSummary {
	list := []container.PortSummary{}
	for port, bindings := range rec.Ports {
		if len(bindings) == 0 {
			list = append(list, container.PortSummary{PrivatePort: port.Num(), Type: string(port.Proto())})
		}
		for _, b := range bindings {
			n, err := strconv.ParseUint(b.HostPort, 10, 16)
			if err != nil {
				continue // the shim writes numbers
			}
			list = append(list, container.PortSummary{IP: b.HostIP, PrivatePort: port.Num(), PublicPort: uint16(n), Type: string(port.Proto())})
		}
	}
	slices.SortFunc(list, func(a, b container.PortSummary) int {
		if n := int(a.PrivatePort) - int(b.PrivatePort); n != 0 {
			return n
		}
		if n := int(a.PublicPort) - int(b.PublicPort); n != 0 {
			return n
		}
		return a.IP.Compare(b.IP)
	})
	return list
}
