//go:build linux && cgo

package enter

// #include "enter.h"
import "C"

// CanFork says that plans are run while the process has one thread, so that
// they may fork, and make and join every kind of namespace themselves.
const CanFork = true

// Run has the plan of this process run. It has been, before Go began.
func Run() (entered bool) { return C.wherry_entered != 0 }
