package shim

import (
	"os"

	"wherry/internal/guest"
	"wherry/internal/sandbox/seccomp"
)

// seal is what a container process may still ask of the kernel once its guest
// runs: the calls for sockets as the network's mode needs them, and what the
// specification's own filter leaves.
func seal(s *spec, cfg guest.Config) (seccomp.Profile, error) {
	p := seccomp.Profile{
		Jailed: true, Network: seccomp.Network(cfg.Net.Kernel()),
		// Who is not root measures its containers in /proc.
		Hidden: os.Geteuid() == 0,
	}
	if s.Linux != nil {
		p.Spec = s.Linux.Seccomp
	}
	return p, p.Check()
}
