//go:build linux

package socket

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Bind gives the socket a local address (bind(2)). In private mode that is one
// of the guest's own network, and any port can be had; a published UDP port
// takes over the inherited descriptor here, a TCP one in Listen.
func (s *Socket) Bind(at netip.AddrPort) error {
	if !at.Addr().IsValid() {
		return unix.EINVAL
	}
	if (s.family == IPv4) != at.Addr().Is4() {
		return unix.EAFNOSUPPORT
	}
	if s.local.IsValid() || s.state != fresh {
		return unix.EINVAL
	}
	inherited, published := s.net.ports.published[port{s.typ, at.Port()}]
	if s.net.guarded[at.Port()] {
		return unix.EACCES
	}
	if !s.virtual() {
		if published {
			return s.bindPublished(at, inherited)
		}
		var a sockaddr
		if err := a.encode(s.sysFamily, at); err != nil {
			return err
		}
		return sysBind(s.fd, &a)
	}
	if where, err := s.net.routes.locate(at.Addr()); err != nil || where != inside {
		return unix.EADDRNOTAVAIL
	}
	return s.bindPublished(at, inherited)
}

// bindPublished enters the address in the port table, and lets a published
// datagram socket speak through the inherited descriptor. inherited counts only
// where the port is in the table of published ones.
func (s *Socket) bindPublished(at netip.AddrPort, inherited int) error {
	at, err := s.net.ports.bind(s, at)
	if err != nil {
		return err
	}
	s.local, s.registered = at, true
	if _, published := s.net.ports.published[port{s.typ, at.Port()}]; published && s.typ == Datagram {
		if err := s.inherit(inherited); err != nil {
			s.net.ports.release(s)
			s.local, s.registered = netip.AddrPort{}, false
			return err
		}
	}
	return nil
}

// inherit replaces the socket's own descriptor by a duplicate of an inherited
// one.
func (s *Socket) inherit(fd int) error {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return err
	}
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if s.fd >= 0 {
		unix.Close(s.fd)
	}
	s.fd, s.inherited, s.sysFamily = dup, true, IPv4
	if domain == unix.AF_INET6 {
		s.sysFamily = IPv6
	}
	return nil
}

// autobind gives an unbound socket of a virtual network a port, as sending and
// connecting do.
func (s *Socket) autobind() error {
	if s.local.IsValid() {
		return nil
	}
	any := netip.IPv4Unspecified()
	if s.family == IPv6 {
		any = netip.IPv6Unspecified()
	}
	at, err := s.net.ports.bind(s, netip.AddrPortFrom(any, 0))
	if err != nil {
		return unix.EAGAIN // as Linux answers when it runs out of ports
	}
	s.local, s.registered = at, true
	return nil
}

// LocalAddr is the address the guest believes to have (getsockname(2)): the
// port of its own network, not that of the host. It is unspecified, port 0,
// before the socket is bound.
func (s *Socket) LocalAddr() (netip.AddrPort, error) {
	if s.local.IsValid() {
		return s.local, nil
	}
	return sysName(unix.SYS_GETSOCKNAME, s.fd)
}

// PeerAddr is the address of the other end (getpeername(2)).
func (s *Socket) PeerAddr() (netip.AddrPort, error) {
	if s.state == connected && s.peer.IsValid() {
		return s.peer, nil
	}
	return sysName(unix.SYS_GETPEERNAME, s.fd)
}
