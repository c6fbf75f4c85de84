//go:build linux

package preview1

import (
	"net/netip"

	"wherry/internal/wasi/host/socket"
)

// Flags of sock_recv (typenames.witx, riflags and roflags).
const (
	recvPeek      = 1
	recvWaitAll   = 2
	recvTruncated = 1
)

// socket gives a socket that has rights.
func (h *Host) socket(fd uint32, rights uint64) (*desc, errno) {
	d := h.table.get(fd)
	switch {
	case d == nil:
		return nil, errBadf
	case d.sock == nil:
		return nil, errNotsock
	}
	return d, d.need(rights)
}

// addSocket enters a socket in the table and writes its number.
func (h *Host) addSocket(m memory, s *socket.Socket, flags uint16, result uint32) errno {
	fd, e := h.table.add(&desc{sock: s, rights: rightsSocket, flags: flags})
	if e != ok {
		return e
	}
	return m.putU32(result, fd)
}

// sockAccept: (fd, flags, *fd).
func (h *Host) sockAccept(m memory, a args) errno {
	return h.accept(m, a.u32(0), a.u32(1), a.u32(2))
}

// sockAcceptV1: (fd, *fd).
func (h *Host) sockAcceptV1(m memory, a args) errno { return h.accept(m, a.u32(0), 0, a.u32(1)) }

func (h *Host) accept(m memory, fd, flags, result uint32) errno {
	d, e := h.socket(fd, rightSockAccept)
	if e != ok {
		return e
	}
	if flags&^uint32(flagsAll) != 0 {
		return errInval
	}
	if _, inside := m.bytes(result, 4); !inside {
		return errFault
	}
	s, err := d.sock.Accept()
	if err != nil {
		return toErrno(err)
	}
	s.NonBlock = uint16(flags)&flagNonBlock != 0
	return h.addSocket(m, s, uint16(flags)&flagNonBlock, result)
}

// sockRecv: (fd, iovs, count, riflags, *n, *roflags).
func (h *Host) sockRecv(m memory, a args) errno {
	got, e := h.receive(m, a, a.u32(3), a.u32(4), a.u32(5))
	if e != ok {
		return e
	}
	return putReceived(m, a.u32(4), a.u32(5), got)
}

// receive is what sock_recv and sock_recv_from have in common.
func (h *Host) receive(m memory, a args, flags, n, roflags uint32) (socket.Received, errno) {
	d, e := h.socket(a.u32(0), rightFdRead)
	if e != ok {
		return socket.Received{}, e
	}
	if flags&^(recvPeek|recvWaitAll) != 0 {
		return socket.Received{}, errInval
	}
	if _, inside := m.bytes(n, 4); !inside {
		return socket.Received{}, errFault
	}
	if _, inside := m.bytes(roflags, 2); !inside {
		return socket.Received{}, errFault
	}
	if h.iov, e = m.iovecs(h.iov, a.u32(1), a.u32(2)); e != ok {
		return socket.Received{}, e
	}
	got, err := d.sock.Receive(h.iov, flags&recvPeek != 0, flags&recvWaitAll != 0)
	return got, toErrno(err)
}

// putReceived writes what both receiving calls tell.
func putReceived(m memory, n, roflags uint32, got socket.Received) errno {
	var flags uint16
	if got.Truncated {
		flags = recvTruncated
	}
	if e := m.putU16(roflags, flags); e != ok {
		return e
	}
	return m.putU32(n, uint32(got.N))
}

// sockSend: (fd, iovs, count, siflags, *n). No flags are defined.
func (h *Host) sockSend(m memory, a args) errno {
	return h.send(m, a, netip.AddrPort{}, a.u32(3), a.u32(4))
}

func (h *Host) send(m memory, a args, to netip.AddrPort, flags, n uint32) errno {
	d, e := h.socket(a.u32(0), rightFdWrite)
	if e != ok {
		return e
	}
	if flags != 0 {
		return errInval
	}
	if _, inside := m.bytes(n, 4); !inside {
		return errFault
	}
	if h.iov, e = m.iovecs(h.iov, a.u32(1), a.u32(2)); e != ok {
		return e
	}
	sent, err := d.sock.Send(h.iov, to)
	return count(m, n, sent, err)
}

// sockShutdown: (fd, sdflags).
func (h *Host) sockShutdown(_ memory, a args) errno {
	d, e := h.socket(a.u32(0), rightSockShutdown)
	if e != ok {
		return e
	}
	if a.u32(1) > 3 {
		return errInval
	}
	return toErrno(d.sock.Shutdown(socket.Ends(a.u32(1))))
}
