//go:build linux

package seccomp

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/containerd/errdefs"
)

// Network is what a container process may do with sockets.
type Network string

// The kinds of network.
const (
	// None refuses every call for sockets. It is the zero value.
	None Network = ""
	// Listen refuses to begin connections. Datagrams can still be sent, since
	// what arrives on a published port is answered by them.
	Listen Network = "listen"
	// Full leaves it to the WASI host where the guest may go.
	Full Network = "full"
)

// Profile is what a container process is sealed with.
type Profile struct {
	Network Network `json:"network,omitempty"`
	// Jailed says that the process sees no path of the host. Where it does, the
	// calls that change a file's owner, mode or times by its path are refused,
	// because landlock does not cover them.
	Jailed bool `json:"jailed,omitempty"`
	// Hidden keeps others of the same user from looking into the process
	// (PR_SET_DUMPABLE(2const)). Its shim cannot then either, unless it is root.
	Hidden bool `json:"hidden,omitempty"`
	// Spec is the filter of the OCI specification, installed besides.
	Spec *specs.LinuxSeccomp `json:"spec,omitempty"`
}

// Check says, before a process is made, whether [Seal] can do what the profile
// asks for. It gives ErrInvalidArgument or ErrNotImplemented, in words.
func (p Profile) Check() error {
	if _, err := p.kind(); err != nil {
		return err
	}
	_, _, err := compileSpec(p.Spec)
	return err
}

// kind is the sum of the sets of calls.
func (p Profile) kind() (set, error) {
	k := guests
	switch p.Network {
	case None:
	case Listen:
		k |= sockets
	case Full:
		k |= sockets | connects
	default:
		return 0, fmt.Errorf("network %q: wanted %q, %q or nothing: %w", p.Network, Listen, Full, errdefs.ErrInvalidArgument)
	}
	if p.Jailed {
		return k | jailed, nil
	}
	return k | loose, nil
}
