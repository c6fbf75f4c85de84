//go:build !linux

package store

import "os"

// syncTree flushes a folder's own entry; without syncfs the files' content is
// left to the system.
func syncTree(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
