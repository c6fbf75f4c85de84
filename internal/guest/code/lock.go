//go:build linux

package code

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// unixStat is what os.FileInfo.Sys holds on Linux.
type unixStat = syscall.Stat_t

// lock takes the lock of a key. Keys share 256 lock files, which stay: one that
// was removed could be locked by two.
func (c Cache) lock(ctx context.Context, k Key) (unlock func(), err error) {
	path := filepath.Join(c.Dir, ".lock-"+k.file()[:2])
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock compiled code: %w", err)
	}
	locked := make(chan error, 1)
	go func() {
		for {
			err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
			if err != unix.EINTR {
				locked <- err
				return
			}
		}
	}()
	select {
	case err := <-locked:
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock compiled code: %w", err)
		}
		return func() { f.Close() }, nil
	case <-ctx.Done():
		// Whenever the lock comes, it is given back.
		go func() {
			<-locked
			f.Close()
		}()
		return nil, context.Cause(ctx)
	}
}
