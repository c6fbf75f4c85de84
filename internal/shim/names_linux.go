package shim

import (
	"net/netip"
	"path"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/sandbox/wall"
	"wherry/internal/wasi/host/socket"
)

const resolvConf = "/etc/resolv.conf"

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
