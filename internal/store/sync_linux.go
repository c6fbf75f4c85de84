package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncTree flushes the file system that dir is on: one call where a sync of
// each file would be thousands.
func syncTree(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd())))
}
