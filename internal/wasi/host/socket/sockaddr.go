//go:build linux

package socket

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// sockaddr is a kernel address (struct sockaddr_in or sockaddr_in6) in bytes.
type sockaddr struct {
	buf [unix.SizeofSockaddrInet6]byte
	len uint32
}

// encode writes an address for a socket of the given family. An IPv4 address
// on an IPv6 socket takes its mapped form; an IPv6 address has none on an IPv4
// socket, which is unix.EAFNOSUPPORT.
func (a *sockaddr) encode(family Family, ap netip.AddrPort) error {
	addr := ap.Addr()
	if !addr.IsValid() {
		return unix.EINVAL
	}
	*a = sockaddr{}
	binary.BigEndian.PutUint16(a.buf[2:], ap.Port())
	if family == IPv4 {
		addr = addr.Unmap()
		if !addr.Is4() {
			return unix.EAFNOSUPPORT
		}
		binary.NativeEndian.PutUint16(a.buf[0:], unix.AF_INET)
		ip := addr.As4()
		copy(a.buf[4:], ip[:])
		a.len = unix.SizeofSockaddrInet4
		return nil
	}
	binary.NativeEndian.PutUint16(a.buf[0:], unix.AF_INET6)
	ip := addr.As16()
	copy(a.buf[8:], ip[:])
	a.len = unix.SizeofSockaddrInet6
	return nil
}

// decode reads an address that the kernel wrote. It is not valid where the
// kernel gave none, or one of another family.
func (a *sockaddr) decode() netip.AddrPort {
	if a.len < 2 {
		return netip.AddrPort{}
	}
	port := binary.BigEndian.Uint16(a.buf[2:])
	switch family := binary.NativeEndian.Uint16(a.buf[0:]); {
	case family == unix.AF_INET && a.len >= unix.SizeofSockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a.buf[4:8])), port)
	case family == unix.AF_INET6 && a.len >= unix.SizeofSockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(a.buf[8:24])), port)
	}
	return netip.AddrPort{}
}

// unmap gives IPv4-mapped addresses, which a dual-stack listener reports, as
// the IPv4 addresses that they are.
func unmap(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
