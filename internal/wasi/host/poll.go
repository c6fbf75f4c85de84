//go:build linux

package host

import (
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Forever is the timeout of a Poll that waits until something happens.
const Forever = time.Duration(math.MinInt64)

// Poll waits in the calling thread until one of fds is ready or the timeout has
// passed, and tells how many are ready (ppoll(2)). Entries with a negative
// descriptor are passed over. A signal does not end the wait: the Go runtime
// sends itself many.
func Poll(fds []unix.PollFd, timeout time.Duration) (int, error) {
	var deadline time.Time
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	for {
		var ts unix.Timespec
		tsp := &ts
		switch {
		case timeout == Forever:
			tsp = nil
		case timeout > 0:
			ts = unix.NsecToTimespec(int64(timeout))
		}
		n, _, errno := unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))),
			uintptr(len(fds)), uintptr(unsafe.Pointer(tsp)), 0, 0, 0)
		if errno == 0 {
			return int(n), nil
		}
		if errno != unix.EINTR {
			return 0, errno
		}
		if timeout > 0 {
			timeout = max(time.Until(deadline), 0)
		}
	}
}
