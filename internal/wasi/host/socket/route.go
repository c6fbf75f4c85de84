//go:build linux

package socket

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// place is where an address lies, seen from the guest in private mode.
type place int

const (
	outside place = iota // on another machine
	inside               // the guest's own network: loopback, or the host itself
)

// router asks the kernel where addresses lead (rtnetlink(7), RTM_GETROUTE).
// A list of the interfaces' addresses would not do: whole prefixes can be
// routed to the host itself, and routes change while a guest runs.
type router struct {
	fd  int
	seq uint32
}

func newRouter() (*router, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	return &router{fd: fd}, nil
}

func (r *router) close() error { return unix.Close(r.fd) }

// locate tells where an address lies, or why nothing can be sent there.
// Broadcasts and multicasts would reach services of the host as well, and are
// refused (unix.EACCES, unix.ENETUNREACH).
func (r *router) locate(addr netip.Addr) (place, error) {
	addr = addr.Unmap().WithZone("")
	if addr.IsLoopback() || addr.IsUnspecified() {
		return inside, nil
	}
	if addr.IsMulticast() {
		return outside, unix.ENETUNREACH
	}
	return r.ask(addr)
}

func (r *router) ask(addr netip.Addr) (place, error) {
	r.seq++
	if err := unix.Sendto(r.fd, routeRequest(addr, r.seq), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return outside, err
	}
	buf := make([]byte, 4096)
	for {
		n, from, err := unix.Recvfrom(r.fd, buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return outside, err
		}
		if k, ok := from.(*unix.SockaddrNetlink); !ok || k.Pid != 0 {
			continue // not from the kernel
		}
		if at, err, ok := parseRoute(buf[:n], r.seq); ok {
			return at, err
		}
	}
}

// routeRequest is a nlmsghdr, a rtmsg and the attribute RTA_DST.
func routeRequest(addr netip.Addr, seq uint32) []byte {
	family, ip := byte(unix.AF_INET), addr.AsSlice()
	if addr.Is6() {
		family = unix.AF_INET6
	}
	size := unix.SizeofNlMsghdr + unix.SizeofRtMsg + unix.SizeofRtAttr + len(ip)
	b := make([]byte, 0, size)
	b = binary.NativeEndian.AppendUint32(b, uint32(size))
	b = binary.NativeEndian.AppendUint16(b, unix.RTM_GETROUTE)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = append(b, family, byte(len(ip)*8), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(ip)))
	b = binary.NativeEndian.AppendUint16(b, unix.RTA_DST)
	return append(b, ip...)
}

// parseRoute reads the kernel's answer; ok is false where it answers something
// else.
func parseRoute(b []byte, seq uint32) (at place, err error, ok bool) {
	if len(b) < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint32(b[8:]) != seq {
		return outside, nil, false
	}
	body := b[unix.SizeofNlMsghdr:]
	switch binary.NativeEndian.Uint16(b[4:]) {
	case unix.NLMSG_ERROR:
		errno := unix.Errno(-int32(binary.NativeEndian.Uint32(body)))
		if errno == 0 {
			return outside, nil, false
		}
		return outside, errno, true
	case unix.RTM_NEWROUTE:
		if len(body) < unix.SizeofRtMsg {
			return outside, unix.EIO, true
		}
		switch body[7] { // rtm_type
		case unix.RTN_LOCAL, unix.RTN_ANYCAST:
			return inside, nil, true
		case unix.RTN_UNICAST:
			return outside, nil, true
		case unix.RTN_BROADCAST:
			return outside, unix.EACCES, true
		}
		return outside, unix.ENETUNREACH, true
	}
	return outside, nil, false
}
