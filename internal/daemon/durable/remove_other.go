//go:build !linux

package durable

import "os"

// RemoveAll is os.RemoveAll: guests run on Linux alone.
func RemoveAll(path string) error { return os.RemoveAll(path) }
