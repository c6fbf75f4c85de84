//go:build linux

package socket

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host"
)

// maxAsked bounds how many outside addresses a datagram socket remembers; the
// oldest are forgotten in no particular order.
const maxAsked = 1024

// Send writes the buffers, which it may change (sendmsg(2)): all of them to a
// stream that waits, one datagram else. to is the destination of a datagram;
// the zero value is the connected peer, and so is any on a stream.
func (s *Socket) Send(v []unix.Iovec, to netip.AddrPort) (int, error) {
	if err := s.takeFault(); err != nil {
		return 0, err
	}
	if s.typ == Datagram {
		return s.sendGram(v, to)
	}
	done := 0
	for {
		n, _, err := sysMessage(unix.SYS_SENDMSG, s.fd, v, nil, unix.MSG_DONTWAIT)
		done += n
		v = host.Advance(v, n)
		if err == unix.EAGAIN && !s.NonBlock {
			err = s.wait(unix.POLLOUT)
		} else if err == nil && (len(v) == 0 || s.NonBlock) {
			return done, nil
		}
		if err != nil {
			if done > 0 {
				return done, nil
			}
			return 0, err
		}
	}
}

func (s *Socket) sendGram(v []unix.Iovec, to netip.AddrPort) (int, error) {
	if s.shut&WriteEnd != 0 {
		return 0, unix.EPIPE
	}
	viaPeer := !to.Addr().IsValid()
	if viaPeer {
		if s.state != connected {
			return 0, unix.EDESTADDRREQ
		}
		to = s.peer
	}
	if !s.virtual() {
		return s.sendOutside(v, to, viaPeer && !s.inherited)
	}
	if _, asks := s.asked[unmap(to)]; asks && s.inherited {
		return s.sendOutside(v, to, false)
	}
	if s.family == IPv4 && !to.Addr().Is4() || s.family == IPv6 && to.Addr().Is4() && !s.inherited {
		return 0, unix.EAFNOSUPPORT
	}
	where, err := s.net.routes.locate(to.Addr())
	if err != nil {
		return 0, err
	}
	if err := s.autobind(); err != nil {
		return 0, err
	}
	if where == inside {
		return s.sendInside(v, to, viaPeer)
	}
	if !s.inherited {
		s.remember(to)
	}
	return s.sendOutside(v, to, viaPeer && !s.inherited)
}

// sendOutside lets the kernel send a datagram, to the peer it knows where
// connected is set.
func (s *Socket) sendOutside(v []unix.Iovec, to netip.AddrPort, connected bool) (int, error) {
	var name *sockaddr
	if !connected {
		name = new(sockaddr)
		if err := name.encode(s.sysFamily, to); err != nil {
			return 0, err
		}
	}
	for {
		n, _, err := sysMessage(unix.SYS_SENDMSG, s.fd, v, name, unix.MSG_DONTWAIT)
		if err != unix.EAGAIN || s.NonBlock {
			return n, err
		}
		if err := s.wait(unix.POLLOUT); err != nil {
			return 0, err
		}
	}
}

// sendInside puts a datagram into a socket of this same guest. Like UDP it is
// lost where nobody is bound or too many wait already; a connected sender
// learns of the former.
func (s *Socket) sendInside(v []unix.Iovec, to netip.AddrPort, viaPeer bool) (int, error) {
	size := host.Total(v)
	if size > maxGramSize {
		return 0, unix.EMSGSIZE
	}
	if to.Addr().IsUnspecified() {
		to = netip.AddrPortFrom(loopback(to.Addr()), to.Port())
	}
	dst := s.net.ports.find(Datagram, to)
	if dst == nil {
		if viaPeer {
			s.fault = unix.ECONNREFUSED
		}
		return size, nil
	}
	from := s.local
	if from.Addr().IsUnspecified() {
		from = netip.AddrPortFrom(to.Addr(), from.Port())
	}
	if dst.state == connected && unmap(dst.peer) != unmap(from) || dst.inbox.full() || dst.shut&ReadEnd != 0 {
		return size, nil
	}
	dst.inbox.grams = append(dst.inbox.grams, gram{from: unmapFor(dst.family, from), data: gather(v)})
	return size, nil
}

// remember enters an address in asked.
func (s *Socket) remember(to netip.AddrPort) {
	to = unmap(to)
	if _, ok := s.asked[to]; ok {
		return
	}
	if s.asked == nil {
		s.asked = map[netip.AddrPort]struct{}{}
	}
	for old := range s.asked {
		if len(s.asked) < maxAsked {
			break
		}
		delete(s.asked, old)
	}
	s.asked[to] = struct{}{}
}
