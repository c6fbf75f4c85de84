//go:build !linux

package server

import (
	"fmt"
	"os"
)

// Main says that there is no engine here.
func Main([]string) int {
	fmt.Fprintln(os.Stderr, "wherry: the embedded engine needs Linux")
	return 1
}
