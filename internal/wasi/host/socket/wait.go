//go:build linux

package socket

import (
	"golang.org/x/sys/unix"
	"wherry/internal/wasi/host"
)

// pollNow asks without waiting.
func pollNow(fds []unix.PollFd) (bool, error) {
	n, err := host.Poll(fds, 0)
	return n > 0, err
}

// readable asks whether reading fd would wait.
func readable(fd int) (bool, error) {
	return pollNow([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}})
}

// orAgain is unix.EAGAIN where there is no error.
func orAgain(err error) error {
	if err == nil {
		return unix.EAGAIN
	}
	return err
}
