//go:build linux

package preview1

import (
	"math"
	"net/netip"

	"wherry/internal/wasi/host/socket"
)

// sockOpen: (family, type, *fd).
func (h *Host) sockOpen(m memory, a args) errno {
	family, e := toFamily(a.u32(0))
	if e != ok {
		return e
	}
	var typ socket.Type
	switch a.u32(1) {
	case sockDgram:
		typ = socket.Datagram
	case sockStream:
		typ = socket.Stream
	default:
		return errInval
	}
	if _, inside := m.bytes(a.u32(2), 4); !inside {
		return errFault
	}
	s, err := h.net.Open(family, typ)
	if err != nil {
		return toErrno(err)
	}
	return h.addSocket(m, s, 0, a.u32(2))
}

// sockBind: (fd, *address, port).
func (h *Host) sockBind(m memory, a args) errno {
	d, e := h.socket(a.u32(0), 0)
	if e != ok {
		return e
	}
	at, e := m.address(a.u32(1), a.u32(2))
	if e != ok {
		return e
	}
	return toErrno(d.sock.Bind(at))
}

// sockConnect: (fd, *address, port).
func (h *Host) sockConnect(m memory, a args) errno {
	d, e := h.socket(a.u32(0), 0)
	if e != ok {
		return e
	}
	to, e := m.address(a.u32(1), a.u32(2))
	if e != ok {
		return e
	}
	return toErrno(d.sock.Connect(to))
}

// sockListen: (fd, backlog).
func (h *Host) sockListen(_ memory, a args) errno {
	d, e := h.socket(a.u32(0), 0)
	if e != ok {
		return e
	}
	return toErrno(d.sock.Listen(int(min(a.u32(1), math.MaxInt32))))
}

// sockSendTo: (fd, iovs, count, *address, port, siflags, *n).
func (h *Host) sockSendTo(m memory, a args) errno {
	to, e := m.address(a.u32(3), a.u32(4))
	if e != ok {
		return e
	}
	return h.send(m, a, to, a.u32(5), a.u32(6))
}

// sockRecvFromV1: (fd, iovs, count, *address, riflags, *n, *roflags). The
// address is written alone; this form has no place for the port.
func (h *Host) sockRecvFromV1(m memory, a args) errno {
	b, e := m.buffer(a.u32(3))
	if e != ok {
		return e
	}
	got, e := h.receive(m, a, a.u32(4), a.u32(5), a.u32(6))
	if e != ok {
		return e
	}
	if got.From.IsValid() {
		if _, e := putAddressV1(b, got.From.Addr()); e != ok {
			return e
		}
	}
	return putReceived(m, a.u32(5), a.u32(6), got)
}

// sockRecvFromV2: (fd, iovs, count, *address, riflags, *port, *n, *roflags).
// The port takes two bytes, as WasmEdge writes it, in the guest's byte order,
// as the Rust crate reads it.
func (h *Host) sockRecvFromV2(m memory, a args) errno {
	b, e := m.buffer(a.u32(3))
	if e != ok {
		return e
	}
	if len(b) != 4 && len(b) != 16 && len(b) != storageSize {
		return errInval
	}
	if _, inside := m.bytes(a.u32(5), 2); !inside {
		return errFault
	}
	got, e := h.receive(m, a, a.u32(4), a.u32(6), a.u32(7))
	if e != ok {
		return e
	}
	if got.From.IsValid() {
		if len(b) == storageSize {
			e = putAddressV2(b, got.From.Addr())
		} else {
			_, e = putAddressV1(b, got.From.Addr())
		}
		if e != ok {
			return e
		}
		if e := m.putU16(a.u32(5), got.From.Port()); e != ok {
			return e
		}
	}
	return putReceived(m, a.u32(6), a.u32(7), got)
}

// sockGetlocaladdrV1: (fd, *address, *type, *port).
func (h *Host) sockGetlocaladdrV1(m memory, a args) errno {
	return h.addressV1(m, a, (*socket.Socket).LocalAddr)
}

// sockGetpeeraddrV1: (fd, *address, *type, *port).
func (h *Host) sockGetpeeraddrV1(m memory, a args) errno {
	return h.addressV1(m, a, (*socket.Socket).PeerAddr)
}

// sockGetlocaladdrV2: (fd, *address, *port).
func (h *Host) sockGetlocaladdrV2(m memory, a args) errno {
	return h.addressV2(m, a, (*socket.Socket).LocalAddr)
}

// sockGetpeeraddrV2: (fd, *address, *port).
func (h *Host) sockGetpeeraddrV2(m memory, a args) errno {
	return h.addressV2(m, a, (*socket.Socket).PeerAddr)
}

func (h *Host) addressV1(m memory, a args, end func(*socket.Socket) (netip.AddrPort, error)) errno {
	d, e := h.socket(a.u32(0), 0)
	if e != ok {
		return e
	}
	b, e := m.buffer(a.u32(1))
	if e != ok {
		return e
	}
	if len(b) != 4 && len(b) != 16 {
		return errInval
	}
	addr, err := end(d.sock)
	if err != nil {
		return toErrno(err)
	}
	kind, e := putAddressV1(b, addr.Addr())
	if e != ok {
		return e
	}
	if e := m.putU32(a.u32(2), kind); e != ok {
		return e
	}
	return m.putU32(a.u32(3), uint32(addr.Port()))
}

func (h *Host) addressV2(m memory, a args, end func(*socket.Socket) (netip.AddrPort, error)) errno {
	d, e := h.socket(a.u32(0), 0)
	if e != ok {
		return e
	}
	b, e := m.buffer(a.u32(1))
	if e != ok {
		return e
	}
	addr, err := end(d.sock)
	if err != nil {
		return toErrno(err)
	}
	if e := putAddressV2(b, addr.Addr()); e != ok {
		return e
	}
	return m.putU32(a.u32(2), uint32(addr.Port()))
}
