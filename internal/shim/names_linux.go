package shim

import (
	"errors"
	"net/netip"
	"path"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/sandbox/wall"
	"wherry/internal/shim/bundle"
	"wherry/internal/wasi/host/socket"
)

const resolvConf = "/etc/resolv.conf"

// network is a guest's network as the specification says.
func (s *spec) network() (socket.Config, error) {
	net := socket.Config{
		Mode:    s.Annotations[bundle.Network],
		Preopen: s.Annotations[bundle.Listen] == bundle.Preopen,
		Hosts:   map[string][]netip.Addr{},
	}
	if net.Mode == "" {
		net.Mode = s.networkMode()
	}
	var dns []netip.Addr
	if err := errors.Join(
		s.annotation(bundle.Hosts, &net.Hosts),
		s.annotation(bundle.DNS, &dns),
		s.annotation(bundle.Search, &net.Search),
	); err != nil {
		return net, err
	}
	for _, a := range dns {
		net.DNS = append(net.DNS, netip.AddrPortFrom(a, 53))
	}
	if list, ok := s.Annotations[bundle.Connect]; ok {
		allowed, err := bundle.ConnectList(list)
		if err != nil {
			return net, err
		}
		net.Connect = &allowed
	}
	return net, nil
}

// namesAtStart are the names of the time when the guest starts, nil where they
// are still those of its creation: Docker writes its name server into the file
// that it mounts only when the network is there, which is in between.
func (s *spec) namesAtStart() (*socket.Names, error) {
	if s == nil || s.embedded() {
		return nil, nil
	}
	net, err := s.network()
	if err != nil {
		return nil, err
	}
	s.names(&net)
	names := net.Names()
	return &names, nil
}

// names completes a guest's network with what names are: as the annotations
// say, or as Docker and the kubelet do, who mount files for it; else with the
// host's own name servers.
//
// A file that the guest can write says nothing where its network has a list: a
// guest that is started again would have written what the list's names are.
func (s *spec) names(net *socket.Config) {
	if file, ok := s.given("/etc/hosts", net); ok && len(net.Hosts) == 0 {
		net.ReadHosts(file)
	}
	if file, ok := s.given(resolvConf, net); ok {
		net.ReadResolvConf(file)
	}
	if _, own := wall.Namespace(&s.Spec, specs.NetworkNamespace); own && net.Mode == socket.ModeHost && len(net.DNS) == 0 {
		// The host's loopback is not that namespace's: what a stub of the
		// host's asks is asked instead (systemd-resolved.service(8)).
		net.ReadResolvConf(resolvConf)
		net.DNS = slices.DeleteFunc(net.DNS, func(a netip.AddrPort) bool { return a.Addr().IsLoopback() })
		net.ReadResolvConf("/run/systemd/resolve/resolv.conf")
		return
	}
	net.ReadResolvConf(resolvConf)
}

// given finds the file that is mounted at a path of the container, if it may
// be believed.
func (s *spec) given(at string, net *socket.Config) (string, bool) {
	for _, m := range slices.Backward(s.Mounts) { // the last one hides the others
		if path.Clean(m.Destination) != at {
			continue
		}
		safe := net.Connect == nil || slices.Contains(m.Options, "ro") || slices.Contains(m.Options, "rro")
		return m.Source, safe && path.IsAbs(m.Source)
	}
	return "", false
}
