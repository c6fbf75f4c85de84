//go:build !linux

package sandbox

import (
	"fmt"
	"os"
	"runtime"
)

// Main says that container processes need Linux.
func Main() int {
	fmt.Fprintln(os.Stderr, "wherry: a container process needs Linux; this is", runtime.GOOS)
	return 125
}
