//go:build linux && !cgo

package early

import "os"

// Split tells whether this is the process to serve, whose parent waits.
func Split() bool { return false }

// Release lets the parent end, successfully.
func Release() {}

// Standby is the container process that was made in advance: there is none.
func Standby() (pid int, control *os.File, ok bool) { return 0, nil, false }
