//go:build linux

package socket

import (
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This package stands alone below wasi/host, so it has the few lines for
// waiting and for lists of buffers that its sockets need itself.

// forever is the timeout of a wait without end.
const forever = time.Duration(math.MinInt64)

// poll is ppoll(2), which signals do not end.
func poll(fds []unix.PollFd, timeout time.Duration) (int, error) {
	deadline := time.Now().Add(max(timeout, 0))
	for {
		var left *unix.Timespec
		if timeout != forever {
			ts := unix.NsecToTimespec(int64(max(timeout, 0)))
			left = &ts
		}
		n, err := unix.Ppoll(fds, left, nil)
		if err != unix.EINTR {
			return n, err
		}
		if timeout != forever {
			timeout = time.Until(deadline)
		}
	}
}

// readable asks whether reading fd would wait.
func readable(fd int) (bool, error) {
	n, err := poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return n > 0, err
}

// orAgain is unix.EAGAIN where there is no error.
func orAgain(err error) error {
	if err == nil {
		return unix.EAGAIN
	}
	return err
}

// total is how many bytes the buffers hold.
func total(v []unix.Iovec) int {
	n := 0
	for i := range v {
		n += int(v[i].Len)
	}
	return n
}

// advance drops the first n bytes of the buffers, in place.
func advance(v []unix.Iovec, n int) []unix.Iovec {
	for len(v) > 0 && n >= int(v[0].Len) {
		n -= int(v[0].Len)
		v = v[1:]
	}
	if n > 0 && len(v) > 0 {
		v[0].Base = (*byte)(unsafe.Add(unsafe.Pointer(v[0].Base), n))
		v[0].SetLen(int(v[0].Len) - n)
	}
	return v
}
