//go:build linux

// Package folder makes folders that belong to one user alone. The command and
// the engine both check the folders they meet in with it; it must know neither.
package folder

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Own makes a folder for this user alone and refuses one that somebody else
// made first or can write to.
func Own(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the engine's folder: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return fmt.Errorf("look at the engine's folder %s: %w", dir, err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		if err := unix.Stat(dir, &st); err != nil {
			return fmt.Errorf("look at the engine's folder %s: %w", dir, err)
		}
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%s must be a folder for the engine, it is something else: move it away", dir)
	case int(st.Uid) != os.Getuid():
		return fmt.Errorf("%s belongs to user %d, not to you (%d): the engine keeps nothing there; set XDG_RUNTIME_DIR and XDG_DATA_HOME to folders of yours",
			dir, st.Uid, os.Getuid())
	case st.Mode&0o022 != 0:
		return fmt.Errorf("others may write to %s (mode %#o): chmod 700 it first", dir, st.Mode&0o777)
	}
	return nil
}
