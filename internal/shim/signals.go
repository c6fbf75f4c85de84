//go:build linux

package shim

import (
	"fmt"
	"syscall"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// disposition is what a signal does to a container.
type disposition int

const (
	// terminate ends it: the process gets SIGKILL and the exit status is
	// 128 plus the signal's number.
	terminate disposition = iota
	// ignore does nothing, as for a program that has no handler.
	ignore
	// pass sends the signal as it is.
	pass
)

// maxSignal is the last real-time signal on Linux.
const maxSignal = 64

// dispose says what a signal does to a guest. Preview1 has no signals, so a
// guest has no handler for any, and signal(7)'s defaults count. Delivering
// them would not do: the process is a Go program, which exits 2 on SIGTERM as
// the first of a pid namespace, prints its stacks on SIGQUIT and needs SIGURG
// for itself.
func dispose(sig syscall.Signal) (disposition, error) {
	switch {
	case sig < 0 || sig > maxSignal:
		return ignore, fmt.Errorf("no such signal: %d; there are 1 to %d: %w", int(sig), maxSignal, errdefs.ErrInvalidArgument)
	case sig == 0:
		// kill(2): only whether the process is there.
		return pass, nil
	}
	switch sig {
	case unix.SIGCHLD, unix.SIGURG, unix.SIGWINCH:
		return ignore, nil
	case unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		// The kernel does not stop an orphaned process group for these, and a
		// container's is one.
		return ignore, nil
	case unix.SIGSTOP, unix.SIGCONT:
		return pass, nil
	}
	return terminate, nil
}
