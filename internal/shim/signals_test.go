//go:build linux

package shim

import (
	"syscall"
	"testing"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

func TestSignals(t *testing.T) {
	special := map[syscall.Signal]disposition{
		0:             pass,
		unix.SIGCHLD:  ignore,
		unix.SIGURG:   ignore,
		unix.SIGWINCH: ignore,
		unix.SIGTSTP:  ignore,
		unix.SIGTTIN:  ignore,
		unix.SIGTTOU:  ignore,
		unix.SIGSTOP:  pass,
		unix.SIGCONT:  pass,
	}
	for sig := syscall.Signal(0); sig <= maxSignal; sig++ {
		want, ok := special[sig]
		if !ok {
			want = terminate
		}
		if got, err := dispose(sig); got != want || err != nil {
			t.Errorf("signal %d: %v, %v; want %v", int(sig), got, err, want)
		}
	}
	for _, sig := range []syscall.Signal{-1, maxSignal + 1, 1000} {
		if _, err := dispose(sig); !errdefs.IsInvalidArgument(err) {
			t.Errorf("signal %d: %v, want ErrInvalidArgument", int(sig), err)
		}
	}
}
