//go:build linux && cgo

package early

// #include "early.h"
import "C"

import (
	"os"

	"golang.org/x/sys/unix"
)

// The two constants are one.
const (
	_ = uint(StackBytes - C.WHERRY_STACK_BYTES)
	_ = uint(C.WHERRY_STACK_BYTES - StackBytes)
)

// Split tells whether this is the process to serve, whose parent waits.
func Split() bool { return C.wherry_early_report >= 0 }

// Release lets the parent end, successfully. Without it the parent ends when
// this process does, with its exit code.
func Release() {
	// A parent that is gone needs no word.
	_, _ = unix.Write(int(C.wherry_early_report), []byte{0})
	unix.Close(int(C.wherry_early_report))
	C.wherry_early_report = -1
}

// Standby is the container process that was made in advance and the control
// socket to it, for the caller to keep; ok is false where there is none, or
// where it was taken before.
func Standby() (pid int, control *os.File, ok bool) {
	if C.wherry_early_standby == 0 {
		return 0, nil, false
	}
	pid, control = int(C.wherry_early_standby), os.NewFile(uintptr(C.wherry_early_control), "control")
	C.wherry_early_standby, C.wherry_early_control = 0, -1
	return pid, control, true
}
