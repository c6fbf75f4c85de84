//go:build linux

package socket

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Virtual ports that port 0 and sending without a bind choose from: Linux's
// default range of ephemeral ports.
const (
	ephemeralFirst = 32768
	ephemeralLast  = 60999
)

// portTable holds the ports that a guest's sockets are bound to in private
// mode: ports of the guest's own network, of which the host knows nothing.
type portTable struct {
	bound     map[port][]*Socket
	published map[port]int // inherited descriptors
	next      uint16
}

// port is a port of one protocol.
type port struct {
	typ    Type
	number uint16
}

func newPortTable(published []Listener) portTable {
	t := portTable{bound: map[port][]*Socket{}, published: map[port]int{}, next: ephemeralFirst}
	for _, l := range published {
		typ := Stream
		if l.Proto == UDP {
			typ = Datagram
		}
		t.published[port{typ, l.Port}] = l.FD
	}
	return t
}

// bind gives a socket an address of the guest's network. Port 0 takes a free
// one. It answers unix.EADDRINUSE like bind(2).
func (t *portTable) bind(s *Socket, at netip.AddrPort) (netip.AddrPort, error) {
	if at.Port() == 0 {
		free, ok := t.free(s.typ)
		if !ok {
			return at, unix.EADDRINUSE
		}
		at = netip.AddrPortFrom(at.Addr(), free)
	}
	p := port{s.typ, at.Port()}
	for _, other := range t.bound[p] {
		if conflict(at.Addr(), other.local.Addr()) {
			return at, unix.EADDRINUSE
		}
	}
	t.bound[p] = append(t.bound[p], s)
	return at, nil
}

// free finds a port that nobody is bound to and that is not published.
func (t *portTable) free(typ Type) (uint16, bool) {
	for range ephemeralLast - ephemeralFirst + 1 {
		p := port{typ, t.next}
		if t.next++; t.next > ephemeralLast {
			t.next = ephemeralFirst
		}
		if _, taken := t.published[p]; !taken && len(t.bound[p]) == 0 {
			return p.number, true
		}
	}
	return 0, false
}

// release forgets a socket.
func (t *portTable) release(s *Socket) {
	p := port{s.typ, s.local.Port()}
	list := t.bound[p]
	for i, other := range list {
		if other == s {
			list = append(list[:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(t.bound, p)
		return
	}
	t.bound[p] = list
}

// find gives the socket that something sent to an address of the guest's own
// network reaches, or nil.
func (t *portTable) find(typ Type, to netip.AddrPort) *Socket {
	for _, s := range t.bound[port{typ, to.Port()}] {
		if conflict(to.Addr(), s.local.Addr()) {
			return s
		}
	}
	return nil
}

// conflict tells whether two local addresses overlap, as bind(2) has it: equal
// ones do, 0.0.0.0 takes all of IPv4, and :: takes both families.
func conflict(a, b netip.Addr) bool {
	a, b = a.Unmap(), b.Unmap()
	return a == b || covers(a, b) || covers(b, a)
}

func covers(a, b netip.Addr) bool {
	return a.IsUnspecified() && (a.Is6() || b.Is4())
}
