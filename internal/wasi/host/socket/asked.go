//go:build linux

package socket

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxAsked bounds how many peers one datagram socket keeps; others make
	// room in no particular order.
	maxAsked = 1024
	// askedLife is for how long a peer is kept that nothing is heard of, as
	// firewalls do (nf_conntrack_udp_timeout_stream was 180 s): its port may be
	// another's by then.
	askedLife = 3 * time.Minute
)

// remember enters a peer in asked.
func (s *Socket) remember(peer netip.AddrPort) error {
	peer = unmap(peer)
	until := time.Now().Add(askedLife)
	if _, ok := s.asked[peer]; ok {
		s.asked[peer] = until
		return nil
	}
	if len(s.asked) >= maxAsked || s.net.asked >= maxAskedAll {
		for old := range s.asked {
			delete(s.asked, old)
			s.net.asked--
			break
		}
	}
	if s.net.asked >= maxAskedAll { // other sockets have it all
		return unix.ENOBUFS
	}
	if s.asked == nil {
		s.asked = map[netip.AddrPort]time.Time{}
	}
	s.asked[peer] = until
	s.net.asked++
	return nil
}

// knows tells whether a peer is in asked.
func (s *Socket) knows(peer netip.AddrPort) bool {
	until, ok := s.asked[unmap(peer)]
	return ok && time.Now().Before(until)
}

// answers tells whether anybody may be answered who has sent to the socket: on
// a published port, and in host mode with a list.
func (s *Socket) answers() bool {
	if s.virtual() {
		return s.inherited
	}
	return s.net.routes != nil
}
