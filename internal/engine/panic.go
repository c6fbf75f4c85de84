package engine

import (
	"fmt"
	"runtime"
	"strings"
)

// HostPanic makes the trap that a panic in a host function ends in. It is
// called in the deferred function that recovered v, while the stack of the
// panic still stands, and names the place in the host that panicked.
func HostPanic(v any) *Trap {
	return &Trap{Code: TrapHost, Detail: strings.ReplaceAll(fmt.Sprint(v), "\n", " ") + panicSite()}
}

// panicSite is " at file.go:12" of the first frame below the runtime's own
// frames of a panic.
func panicSite() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	panicking := false
	for {
		f, more := frames.Next()
		inRuntime := strings.HasPrefix(f.Function, "runtime.")
		if panicking && !inRuntime {
			file := f.File[strings.LastIndexByte(f.File, '/')+1:]
			return fmt.Sprintf(" at %s:%d", file, f.Line)
		}
		panicking = panicking || f.Function == "runtime.gopanic"
		if !more {
			return ""
		}
	}
}
