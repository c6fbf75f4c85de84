//go:build linux

package socket

import (
	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host"
)

// readable asks whether reading fd would wait.
func readable(fd int) (bool, error) {
	n, err := host.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return n > 0, err
}

// orAgain is unix.EAGAIN where there is no error.
func orAgain(err error) error {
	if err == nil {
		return unix.EAGAIN
	}
	return err
}
