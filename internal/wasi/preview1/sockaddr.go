//go:build linux

package preview1

import (
	"encoding/binary"
	"net/netip"

	"wherry/internal/wasi/host/socket"
)

// Address families and socket types of WasmEdge (api.hpp).
const (
	familyUnspec = 0
	familyInet4  = 1
	familyInet6  = 2
	familyUnix   = 3

	sockAny    = 0
	sockDgram  = 1
	sockStream = 2
)

// storageSize is the length of the buffer of V2: a family in two bytes, then
// the address (environ.h, WasiAddrStorage).
const storageSize = 128

// buffer gives the bytes that an address structure {pointer, length} names.
func (m memory) buffer(ptr uint32) ([]byte, errno) {
	at, inside := m.u32(ptr)
	if !inside || ptr > 1<<32-5 {
		return nil, errFault
	}
	size, inside := m.u32(ptr + 4)
	if !inside {
		return nil, errFault
	}
	b, inside := m.bytes(at, size)
	if !inside {
		return nil, errFault
	}
	return b, ok
}

// address reads an address in either form, told apart by its length.
func (m memory) address(ptr, port uint32) (netip.AddrPort, errno) {
	b, e := m.buffer(ptr)
	if e != ok {
		return netip.AddrPort{}, e
	}
	ip, e := parseAddress(b)
	if e != ok {
		return netip.AddrPort{}, e
	}
	if port > 65535 {
		return netip.AddrPort{}, errInval
	}
	return netip.AddrPortFrom(ip, uint16(port)), ok
}

func parseAddress(b []byte) (netip.Addr, errno) {
	switch len(b) {
	case 4:
		return netip.AddrFrom4([4]byte(b)), ok
	case 16:
		return netip.AddrFrom16([16]byte(b)), ok
	case storageSize:
		switch binary.LittleEndian.Uint16(b) {
		case familyInet4:
			return netip.AddrFrom4([4]byte(b[2:])), ok
		case familyInet6:
			return netip.AddrFrom16([16]byte(b[2:])), ok
		case familyUnix:
			return netip.Addr{}, errNosys
		}
	}
	return netip.Addr{}, errInval
}

// putAddressV1 writes an address alone, at the start of a buffer that may be
// longer. The kind it gives is what V1 calls the address type: 4 or 6.
func putAddressV1(b []byte, a netip.Addr) (kind uint32, e errno) {
	ip := a.AsSlice()
	if len(b) < len(ip) {
		return 0, errInval
	}
	copy(b, ip)
	if len(ip) == 4 {
		return 4, ok
	}
	return 6, ok
}

// putAddressV2 writes an address behind its family.
func putAddressV2(b []byte, a netip.Addr) errno {
	if len(b) != storageSize {
		return errInval
	}
	clear(b)
	family := uint16(familyInet6)
	if a.Is4() {
		family = familyInet4
	}
	binary.LittleEndian.PutUint16(b, family)
	copy(b[2:], a.AsSlice())
	return ok
}

// toFamily reads an address family. Unix sockets are not supported, as is
// WasmEdge's default (errNosys).
func toFamily(n uint32) (socket.Family, errno) {
	switch n {
	case familyInet4:
		return socket.IPv4, ok
	case familyInet6:
		return socket.IPv6, ok
	case familyUnix:
		return 0, errNosys
	}
	return 0, errInval
}
