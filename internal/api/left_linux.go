package api

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// awaitLeft calls left when the other side closed the connection whole, not
// only its half: clients without input end their half at once and then read
// on. It returns when the connection is closed on this side too. The caller
// must not read from conn meanwhile.
//
// The kernel reports POLLHUP when both halves are down; Go's poller wakes for
// it as for data, so nothing is polled and no thread waits.
func awaitLeft(conn net.Conn, left func()) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	err = raw.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(p, 0)
		return err == nil && n > 0 && p[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
	})
	if err == nil {
		left()
	}
}
