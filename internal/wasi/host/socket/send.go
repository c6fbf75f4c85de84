//go:build linux

package socket

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host"
)

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
	viaKernel := viaPeer && !s.inherited
	if s.answers() && s.knows(to) {
		return s.sendOutside(v, to, viaKernel)
	}
	if s.virtual() && (s.family == IPv4 && !to.Addr().Is4() || s.family == IPv6 && to.Addr().Is4() && !s.inherited) {
		return 0, unix.EAFNOSUPPORT
	}
	verdict := s.net.judge(to)
	if verdict.err != nil {
		return 0, verdict.err
	}
	if !s.virtual() {
		return s.sendOutside(v, verdict.to, viaKernel)
	}
	if err := s.autobind(); err != nil {
		return 0, err
	}
	if verdict.where == inside {
		return s.sendInside(v, to, viaPeer)
	}
	if !s.inherited {
		if err := s.remember(to); err != nil {
			return 0, err
		}
	}
	return s.sendOutside(v, to, viaKernel)
}

// sendOutside lets the kernel send a datagram, to the peer it knows where
// connected is set.
func (s *Socket) sendOutside(v []unix.Iovec, to netip.AddrPort, connected bool) (int, error) {
	var buf sockaddr
	var name *sockaddr
	if !connected {
		name = &buf
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
	if dst.state == connected && unmap(dst.peer) != unmap(from) || dst.shut&ReadEnd != 0 {
		return size, nil
	}
	dst.addGram(unmapFor(dst.family, from), v, size)
	return size, nil
}
