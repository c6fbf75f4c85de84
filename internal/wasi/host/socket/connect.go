//go:build linux

package socket

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Connect connects a stream, or chooses a datagram socket's peer (connect(2)).
func (s *Socket) Connect(to netip.AddrPort) error {
	if !to.Addr().IsValid() {
		return unix.EINVAL
	}
	if s.family == IPv4 && !to.Addr().Is4() || s.family == IPv6 && to.Addr().Is4() {
		return unix.EAFNOSUPPORT
	}
	switch {
	case s.state == listening, s.typ == Stream && s.state == connected:
		return unix.EISCONN
	case s.state == connecting && to == s.peer:
		return s.connectAgain()
	}
	v := s.net.reach(to)
	switch {
	case v.err != nil && s.inherited && s.answers() && s.knows(to):
		// Whoever has sent to a published port may be answered.
	case v.err != nil:
		return v.err
	}
	switch {
	case !s.virtual() && s.inherited:
		s.peer, s.state = v.to, connected
		return nil
	case !s.virtual():
		return s.connectOutside(v.to)
	case s.typ == Datagram:
		return s.connectDatagram(to, v.where)
	case v.where == inside:
		return s.connectInside(to)
	}
	return s.connectOutside(to)
}

// connectInside calls a listener of this same guest, or is refused.
func (s *Socket) connectInside(to netip.AddrPort) error {
	if to.Addr().IsUnspecified() { // means loopback, as on Linux
		to = netip.AddrPortFrom(loopback(to.Addr()), to.Port())
	}
	l := s.net.ports.find(Stream, to)
	if l == nil || l.state != listening || l.shut != 0 {
		return unix.ECONNREFUSED
	}
	if err := s.autobind(); err != nil {
		return err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	s.setLocal(to.Addr())
	if !l.addCall(call{fd: pair[1], local: unmapFor(l.family, to), peer: unmapFor(l.family, s.local)}) {
		unix.Close(pair[0])
		unix.Close(pair[1])
		return unix.ECONNREFUSED
	}
	unix.Close(s.fd)
	s.fd, s.paired, s.state, s.peer = pair[0], true, connected, to
	return nil
}

// setLocal gives a socket that was bound to no address in particular the one
// that it speaks from.
func (s *Socket) setLocal(addr netip.Addr) {
	if s.local.Addr().IsUnspecified() {
		s.local = netip.AddrPortFrom(addr, s.local.Port())
	}
}

// connectOutside connects by the kernel.
func (s *Socket) connectOutside(to netip.AddrPort) error {
	var a sockaddr
	if err := a.encode(s.sysFamily, to); err != nil {
		return err
	}
	switch err := sysConnect(s.fd, &a); err {
	case nil:
		s.state, s.peer = connected, to
		return nil
	case unix.EINPROGRESS:
		s.state, s.peer = connecting, to
	case unix.EALREADY: // the first attempt is still on its way
		return err
	default:
		return err
	}
	if s.NonBlock {
		return unix.EINPROGRESS
	}
	if err := s.wait(unix.POLLOUT); err != nil {
		if err == unix.EAGAIN { // SO_SNDTIMEO: the attempt goes on
			return unix.EINPROGRESS
		}
		return err
	}
	return s.finish()
}

// finish takes the outcome of an attempt to connect that is over.
func (s *Socket) finish() error {
	e, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil {
		err = result(unix.Errno(e))
	}
	return s.settle(err)
}

// connectAgain is a second Connect while the first is on its way. The kernel
// says how far it is: unix.EALREADY, unix.EISCONN, or what went wrong.
func (s *Socket) connectAgain() error {
	var a sockaddr
	if err := a.encode(s.sysFamily, s.peer); err != nil {
		return err
	}
	err := sysConnect(s.fd, &a)
	if err == unix.EALREADY || err == unix.EINPROGRESS {
		return err
	}
	if err == unix.EISCONN {
		s.state = connected
		return err
	}
	return s.settle(err)
}

// settle records that an attempt to connect has ended.
func (s *Socket) settle(err error) error {
	if err != nil {
		s.state, s.peer = fresh, netip.AddrPort{}
		return err
	}
	s.state = connected
	return nil
}

// connectDatagram chooses the peer of a datagram socket. The kernel is told
// only where the descriptor is the guest's own and the peer is outside.
func (s *Socket) connectDatagram(to netip.AddrPort, where place) error {
	if err := s.autobind(); err != nil {
		return err
	}
	if where == inside {
		if to.Addr().IsUnspecified() {
			to = netip.AddrPortFrom(loopback(to.Addr()), to.Port())
		}
		s.setLocal(to.Addr())
	} else if !s.inherited {
		var a sockaddr
		if err := a.encode(s.sysFamily, to); err != nil {
			return err
		}
		if err := sysConnect(s.fd, &a); err != nil {
			return err
		}
		if local, err := sysName(unix.SYS_GETSOCKNAME, s.fd); err == nil {
			s.setLocal(local.Addr())
		}
	}
	s.peer, s.state = to, connected
	return nil
}

// loopback is the loopback address of an address's family.
func loopback(a netip.Addr) netip.Addr {
	switch {
	case a.Is4():
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case a.Is4In6():
		return netip.MustParseAddr("::ffff:127.0.0.1")
	}
	return netip.IPv6Loopback()
}

// unmapFor presents an address to a socket of a family: IPv4-mapped ones as
// IPv4 to one that speaks only that.
func unmapFor(f Family, ap netip.AddrPort) netip.AddrPort {
	if f == IPv4 {
		return unmap(ap)
	}
	return ap
}
