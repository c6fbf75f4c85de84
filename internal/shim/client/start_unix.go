//go:build unix

package client

import "syscall"

// ownGroup keeps a terminal's signals for the engine away from the shim.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
