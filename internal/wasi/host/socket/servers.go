//go:build linux

package socket

import (
	"fmt"
	"net/netip"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// ownServers makes sure that a guest whose list has names is not its own name
// server: it would then give its names any address. In host mode it may not
// take the port of a server that lies in its own network namespace; and the
// address of a published port is refused as a server.
func (n *Network) ownServers() error {
	if n.allow == nil || !n.allow.HasNames() {
		return nil
	}
	n.guarded = map[uint16]bool{}
	for _, server := range n.resolver.servers {
		where, err := n.routes.locate(server.Addr())
		if err != nil || where != inside {
			continue // cannot be reached, or is another machine
		}
		if n.mode == ModeHost {
			n.guarded[server.Port()] = true
		}
		for _, l := range n.config.Published {
			at, err := sysName(unix.SYS_GETSOCKNAME, l.FD)
			if err != nil {
				return fmt.Errorf("published port %d/%s: %w", l.Port, l.Proto, err)
			}
			if answersAt(at, server) {
				return fmt.Errorf("the name server %s is port %d/%s of this very container, which would then say what the names of its allow list are; give it another server: %w",
					server, l.Port, l.Proto, errdefs.ErrInvalidArgument)
			}
		}
	}
	return nil
}

// answersAt tells whether a listener gets what is sent to a server's address.
func answersAt(listener, server netip.AddrPort) bool {
	if listener.Port() != server.Port() {
		return false
	}
	return conflict(listener.Addr(), server.Addr())
}
