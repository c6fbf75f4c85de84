//go:build linux

package socket

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Listen makes the socket accept connections (listen(2)). On a published port
// those are what arrives at the inherited listener; in private mode also what
// the guest sends to itself, and on another port only that.
func (s *Socket) Listen(backlog int) error {
	if s.typ != Stream {
		return unix.EOPNOTSUPP
	}
	if s.state == listening {
		return nil
	}
	if s.state != fresh {
		return unix.EINVAL
	}
	if s.virtual() {
		if err := s.autobind(); err != nil {
			return err
		}
	}
	if fd, published := s.net.ports.published[port{Stream, s.local.Port()}]; published && s.registered {
		if err := s.inherit(fd); err != nil {
			return err
		}
	} else if !s.virtual() {
		if err := unix.Listen(s.fd, min(max(backlog, 0), unix.SOMAXCONN)); err != nil {
			return err
		}
	}
	s.state = listening
	return nil
}

// preopen makes a listening socket of an inherited listener.
func (n *Network) preopen(l Listener) (*Socket, error) {
	s := n.count(&Socket{net: n, family: IPv4, typ: Stream, fd: -1})
	if err := s.inherit(l.FD); err != nil {
		return nil, err
	}
	any := netip.IPv4Unspecified()
	if s.family = s.sysFamily; s.family == IPv6 {
		any = netip.IPv6Unspecified()
	}
	at, err := n.ports.bind(s, netip.AddrPortFrom(any, l.Port))
	if err != nil {
		s.Close()
		return nil, err
	}
	s.local, s.registered, s.state = at, true, listening
	return s, nil
}

// Accept takes the next connection (accept(2)).
func (s *Socket) Accept() (*Socket, error) {
	if s.typ != Stream {
		return nil, unix.EOPNOTSUPP
	}
	if s.state != listening || s.shut != 0 {
		return nil, unix.EINVAL
	}
	for {
		if s.net.sockets >= maxSockets {
			return nil, unix.EMFILE
		}
		if c, ok := s.takeCall(); ok {
			return s.net.count(&Socket{net: s.net, family: s.family, typ: Stream, fd: c.fd, sysFamily: s.family, paired: true,
				local: c.local, peer: c.peer, state: connected}), nil
		}
		if fd, peer, err := s.acceptOutside(); err == nil {
			return s.accepted(fd, peer), nil
		} else if err != unix.EAGAIN || s.NonBlock {
			return nil, err
		}
		if err := s.wait(unix.POLLIN); err != nil {
			return nil, err
		}
	}
}

// acceptOutside takes a connection that the kernel has, and does not wait: an
// inherited listener may be a blocking one, so it is asked first.
func (s *Socket) acceptOutside() (int, netip.AddrPort, error) {
	fd := s.PollFD()
	if fd < 0 {
		return -1, netip.AddrPort{}, unix.EAGAIN
	}
	if s.inherited {
		if ready, err := readable(fd); err != nil || !ready {
			return -1, netip.AddrPort{}, orAgain(err)
		}
	}
	return sysAccept(fd)
}

// accepted wraps a connection from outside. Its local address keeps the IP that
// the peer used, with the guest's port.
func (s *Socket) accepted(fd int, peer netip.AddrPort) *Socket {
	c := &Socket{net: s.net, family: s.family, typ: Stream, fd: fd, sysFamily: s.sysFamily, peer: peer, state: connected}
	if s.inherited {
		c.peer = unmap(peer)
		if local, err := sysName(unix.SYS_GETSOCKNAME, fd); err == nil {
			c.local = netip.AddrPortFrom(local.Addr().Unmap(), s.local.Port())
		}
	}
	return s.net.count(c)
}
