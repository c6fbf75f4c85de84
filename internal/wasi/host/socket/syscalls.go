//go:build linux

package socket

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The socket calls, on raw addresses and caller's buffers: those of x/sys/unix
// box every address and every buffer list.

func sysConnect(fd int, a *sockaddr) error {
	_, _, e := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&a.buf)), uintptr(a.len))
	return result(e)
}

func sysBind(fd int, a *sockaddr) error {
	_, _, e := unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&a.buf)), uintptr(a.len))
	return result(e)
}

func sysAccept(fd int) (int, netip.AddrPort, error) {
	a := sockaddr{len: unix.SizeofSockaddrInet6}
	for {
		n, _, e := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&a.buf)),
			uintptr(unsafe.Pointer(&a.len)), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0, 0)
		if e == unix.EINTR {
			continue
		}
		return int(n), a.decode(), result(e)
	}
}

func sysName(call uintptr, fd int) (netip.AddrPort, error) {
	a := sockaddr{len: unix.SizeofSockaddrInet6}
	_, _, e := unix.Syscall(call, uintptr(fd), uintptr(unsafe.Pointer(&a.buf)), uintptr(unsafe.Pointer(&a.len)))
	return a.decode(), result(e)
}

// sysMessage is sendmsg(2) or recvmsg(2). name may be nil. It gives the
// message's flags, and the address in name where there is one.
func sysMessage(call uintptr, fd int, v []unix.Iovec, name *sockaddr, flags int) (n int, msgFlags int, err error) {
	var m unix.Msghdr
	if len(v) > 0 {
		m.Iov = &v[0]
		m.SetIovlen(len(v))
	}
	if name != nil {
		m.Name = &name.buf[0]
		m.Namelen = name.len
	}
	for {
		r, _, e := unix.Syscall(call, uintptr(fd), uintptr(unsafe.Pointer(&m)), uintptr(flags|unix.MSG_NOSIGNAL))
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			return 0, 0, e
		}
		if name != nil {
			name.len = m.Namelen
		}
		return int(r), int(m.Flags), nil
	}
}

func result(e unix.Errno) error {
	if e != 0 {
		return e
	}
	return nil
}
