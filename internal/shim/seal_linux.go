package shim

import (
	"wherry/internal/guest"
	"wherry/internal/sandbox/seccomp"
	"wherry/internal/wasi/host/socket"
)

// seal is what a container process may still ask of the kernel once its guest
// runs: the calls for sockets as the network's mode needs them, and what the
// specification's own filter leaves.
func seal(s *spec, cfg guest.Config) (seccomp.Profile, error) {
	p := seccomp.Profile{Jailed: true}
	switch connect := cfg.Net.Connect; {
	case cfg.Net.Mode == "" || cfg.Net.Mode == socket.ModeNone:
	case connect != nil && len(*connect) == 0:
		p.Network = seccomp.Listen
	default:
		p.Network = seccomp.Full
	}
	if s.Linux != nil {
		p.Spec = s.Linux.Seccomp
	}
	return p, p.Check()
}
