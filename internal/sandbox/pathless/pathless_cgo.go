//go:build linux && cgo

package pathless

// #include "pathless.h"
import "C"

import "syscall"

// leave tells what became of it before Go began.
func leave() error {
	switch why := C.wherry_pathless; why {
	case 0:
		return nil
	case -1:
		return syscall.EINVAL // the program's first argument is another
	default:
		return syscall.Errno(why)
	}
}
