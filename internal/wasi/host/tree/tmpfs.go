//go:build linux

package tree

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// tmpfs opens an empty folder that goes away with the tree. Root gets a kernel
// tmpfs that is mounted nowhere: only this descriptor leads to it, and the
// kernel drops it with the process. Everyone else gets a scratch folder with a
// bound of its own.
func (t *Tree) tmpfs(mnt *mounted, m *Mount) error {
	mode := m.Mode
	if mode == 0 {
		mode = 0o1777
	}
	fd, err := kernelTmpfs(m.Size, mode)
	if err != nil {
		if fd, err = t.scratchFolder(m); err != nil {
			return err
		}
		if m.Size > 0 {
			mnt.space = &space{dir: fd, limit: m.Size, open: map[*File]struct{}{}}
		}
	}
	mnt.dir = fd
	st, err := fstat(fd)
	mnt.dev = uint64(st.Dev)
	return err
}

// kernelTmpfs makes a detached tmpfs (fsopen(2), Linux 5.2, CAP_SYS_ADMIN).
func kernelTmpfs(size int64, mode uint32) (int, error) {
	ctx, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(ctx)
	if size > 0 {
		if err := unix.FsconfigSetString(ctx, "size", strconv.FormatInt(size, 10)); err != nil {
			return -1, err
		}
	}
	if err := unix.FsconfigSetString(ctx, "mode", strconv.FormatUint(uint64(mode), 8)); err != nil {
		return -1, err
	}
	if err := unix.FsconfigCreate(ctx); err != nil {
		return -1, err
	}
	return unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOSUID)
}

// scratchFolder makes a folder in the upper level, where the next start clears
// what a killed process left, or else in the system's temporary folder.
func (t *Tree) scratchFolder(m *Mount) (fd int, err error) {
	parent, name := -1, ""
	var path string
	if t.upper != nil && t.upper.tmp >= 0 {
		parent, name = t.upper.tmp, t.upper.temp()
		if err = unix.Mkdirat(parent, name, 0o777); err == nil && m.Mode != 0 {
			err = chmod(parent, name, m.Mode|0o700) // the guest's own user is this one
		}
		if err == nil {
			fd, err = openPath(parent, name, unix.O_DIRECTORY)
		}
	} else {
		if m.Source != "" && !filepath.IsAbs(m.Source) {
			return -1, invalid("the source %q must be an absolute host path", m.Source)
		}
		path = m.Source
		if path == "" && t.upperPath != "" { // of a read-only tree: its next start clears it too
			path = filepath.Join(t.upperPath, "tmp")
			err = os.MkdirAll(path, 0o700)
		}
		if err == nil {
			path, err = os.MkdirTemp(path, "wherry-tmpfs-")
		}
		if err == nil {
			mode := os.FileMode(0o755)
			if m.Mode != 0 {
				mode = os.FileMode(m.Mode&0o777 | 0o700)
			}
			err = os.Chmod(path, mode)
		}
		if err == nil {
			fd, err = unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		}
	}
	if err != nil {
		return -1, fmt.Errorf("making a scratch folder: %w", err)
	}
	t.scratch = append(t.scratch, func() error {
		if path != "" {
			return os.RemoveAll(path)
		}
		return removeAll(parent, name)
	})
	return fd, nil
}
