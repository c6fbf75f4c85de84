//go:build linux

package preview1

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"wherry/internal/wasi/host/socket"
)

// Layout of WasmEdge's __wasi_addrinfo_t and __wasi_sockaddr_t (api.hpp).
const (
	addrinfoSize     = 28
	addrinfoFamily   = 2 // flags take the two bytes before
	addrinfoType     = 3
	addrinfoProtocol = 4
	addrinfoAddrlen  = 8
	addrinfoAddr     = 12
	addrinfoName     = 16
	addrinfoNameLen  = 20
	addrinfoNext     = 24

	sockaddrSize    = 12
	sockaddrDataLen = 4
	sockaddrData    = 8
)

// Flags of sock_getaddrinfo.
const (
	aiPassive     = 1 << 0
	aiCanonname   = 1 << 1
	aiNumericHost = 1 << 2
	aiNumericServ = 1 << 3
	aiV4Mapped    = 1 << 4
	aiAll         = 1<<7 - 1
)

const (
	protoAny = 0
	protoTCP = 1
	protoUDP = 2
)

// hints are what a guest asks for.
type hints struct {
	flags       uint16
	family      socket.Family // 0 for any
	typ, proto  byte
	host, serv  string
	wantsFamily byte
}

// sockGetaddrinfo: (node, len, service, len, *hints, **results, max, *n).
//
// The guest brings a list of max linked addrinfo structures with room for an
// address and a name each; they are filled from the first on.
func (h *Host) sockGetaddrinfo(m memory, a args) errno {
	q, e := readHints(m, a)
	if e != ok {
		return e
	}
	first, inside := m.u32(a.u32(5))
	if !inside {
		return errFault
	}
	if _, inside := m.bytes(a.u32(7), 4); !inside {
		return errFault
	}
	if a.u32(6) == 0 {
		return errAIMemory
	}
	addrs, name, e := h.lookup(q)
	if e != ok {
		return e
	}
	port, found := socket.Service(q.serv, q.flags&aiNumericServ != 0)
	if !found {
		return errAIService
	}
	if q.flags&aiCanonname == 0 {
		name = ""
	}
	n, e := writeResults(m, first, a.u32(6), q, addrs, port, name)
	if e != ok {
		return e
	}
	return m.putU32(a.u32(7), n)
}

func readHints(m memory, a args) (hints, errno) {
	var q hints
	node, inside := m.bytes(a.u32(0), a.u32(1))
	if !inside {
		return q, errFault
	}
	service, inside := m.bytes(a.u32(2), a.u32(3))
	if !inside {
		return q, errFault
	}
	b, inside := m.bytes(a.u32(4), addrinfoSize)
	if !inside {
		return q, errFault
	}
	// Guests pass C strings with their NUL and without.
	node, _, _ = bytes.Cut(node, []byte{0})
	service, _, _ = bytes.Cut(service, []byte{0})
	if len(node) == 0 && len(service) == 0 {
		return q, errAINoName
	}
	if len(node) > 255 || len(service) > 255 {
		return q, errAINoName
	}
	q = hints{flags: binary.LittleEndian.Uint16(b), typ: b[addrinfoType], proto: b[addrinfoProtocol],
		wantsFamily: b[addrinfoFamily], host: string(node), serv: string(service)}
	switch {
	case q.flags&^aiAll != 0, q.flags&aiCanonname != 0 && q.host == "":
		return q, errAIBadFlag
	case q.wantsFamily > familyInet6:
		return q, errAIFamily
	case q.proto > protoUDP, q.typ > sockStream:
		return q, errNosys
	}
	switch q.wantsFamily {
	case familyInet4:
		q.family = socket.IPv4
	case familyInet6:
		q.family = socket.IPv6
	}
	return q, ok
}

// lookup gives the addresses that are asked for, and the canonical name.
func (h *Host) lookup(q hints) ([]netip.Addr, string, errno) {
	if q.host == "" {
		v4, v6 := netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
		if q.flags&aiPassive != 0 {
			v4, v6 = netip.IPv4Unspecified(), netip.IPv6Unspecified()
		}
		switch q.family {
		case socket.IPv4:
			return []netip.Addr{v4}, "", ok
		case socket.IPv6:
			return []netip.Addr{v6}, "", ok
		}
		return []netip.Addr{v4, v6}, "", ok
	}
	numeric := q.flags&aiNumericHost != 0
	addrs, name, err := h.net.Lookup(q.host, q.family, numeric)
	if q.family == socket.IPv6 && q.flags&aiV4Mapped != 0 && len(addrs) == 0 {
		if addrs, name, err = h.net.Lookup(q.host, socket.IPv4, numeric); err == nil {
			for i, a := range addrs {
				addrs[i] = netip.AddrFrom16(a.As16())
			}
		}
	}
	if err != nil {
		return nil, "", toErrno(err)
	}
	if len(addrs) == 0 {
		return nil, "", errAINoName
	}
	return addrs, name, ok
}

// writeResults fills the guest's list, and tells how many of its structures it
// used. An address for which a structure has no room is left out; room for
// none is errAIMemory.
func writeResults(m memory, at, most uint32, q hints, addrs []netip.Addr, port uint16, name string) (uint32, errno) {
	typ, proto := q.typ, q.proto
	if typ == sockAny {
		typ = sockStream
		if proto == protoUDP {
			typ = sockDgram
		}
	}
	if proto == protoAny {
		proto = protoTCP
		if typ == sockDgram {
			proto = protoUDP
		}
	}
	n := uint32(0)
	for _, addr := range addrs {
		if n == most {
			break
		}
		info, inside := m.bytes(at, addrinfoSize)
		if !inside {
			return 0, errFault
		}
		sockaddr, inside := m.bytes(binary.LittleEndian.Uint32(info[addrinfoAddr:]), sockaddrSize)
		if !inside {
			return 0, errFault
		}
		data, inside := m.bytes(binary.LittleEndian.Uint32(sockaddr[sockaddrData:]), binary.LittleEndian.Uint32(sockaddr[sockaddrDataLen:]))
		if !inside {
			return 0, errFault
		}
		family, length, sa := sockaddrBytes(addr, port)
		if len(data) < len(sa) {
			continue
		}
		if e := writeName(m, info, name); e != ok {
			return 0, e
		}
		next := binary.LittleEndian.Uint32(info[addrinfoNext:])
		copy(data, sa)
		binary.LittleEndian.PutUint32(sockaddr[sockaddrDataLen:], uint32(len(sa)))
		sockaddr[0] = family
		binary.LittleEndian.PutUint16(info, q.flags)
		info[addrinfoFamily], info[addrinfoType], info[addrinfoProtocol] = family, typ, proto
		binary.LittleEndian.PutUint32(info[addrinfoAddrlen:], length)
		n++
		at, name = next, "" // the first result alone has the name, as in POSIX
	}
	if n == 0 {
		return 0, errAIMemory
	}
	return n, ok
}

// sockaddrBytes is an address as sa_data of Linux's sockaddr_in or
// sockaddr_in6: the port in network order, then for IPv6 the flow and behind
// the address the scope. length is the size of that whole sockaddr.
func sockaddrBytes(a netip.Addr, port uint16) (family byte, length uint32, data []byte) {
	data = binary.BigEndian.AppendUint16(nil, port)
	if a.Is4() {
		data = append(data, a.AsSlice()...)
		return familyInet4, 16, append(data, make([]byte, 8)...)
	}
	data = append(data, 0, 0, 0, 0)
	data = append(data, a.AsSlice()...)
	return familyInet6, 28, append(data, 0, 0, 0, 0)
}

// writeName writes the canonical name, where there is one and it fits.
func writeName(m memory, info []byte, name string) errno {
	room := binary.LittleEndian.Uint32(info[addrinfoNameLen:])
	if name == "" || uint32(len(name)) >= room {
		binary.LittleEndian.PutUint32(info[addrinfoNameLen:], 0)
		return ok
	}
	b, inside := m.bytes(binary.LittleEndian.Uint32(info[addrinfoName:]), room)
	if !inside {
		return errFault
	}
	copy(b, name)
	b[len(name)] = 0
	binary.LittleEndian.PutUint32(info[addrinfoNameLen:], uint32(len(name)))
	return ok
}
