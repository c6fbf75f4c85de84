//go:build linux

package tree

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Modes and times are set by path where the process may, and else by an open
// descriptor: a process without a jail has no calls that change what a path
// stands for.

// chmod follows no link, even one that has just been put there: fchmodat(2)
// does, so the file is opened where there is no fchmodat2 (before Linux 6.6, or
// a seccomp filter).
func chmod(dir int, name string, mode uint32) error {
	err := unix.Fchmodat(dir, name, mode, unix.AT_SYMLINK_NOFOLLOW)
	if err != unix.ENOSYS && err != unix.EOPNOTSUPP && err != unix.EPERM {
		return err
	}
	return onOpen(dir, name, err, func(fd int) error { return unix.Fchmod(fd, mode) })
}

// chtimes sets the times of name itself. Those of a link can only be set by
// path.
func chtimes(dir int, name string, ts []unix.Timespec) error {
	err := unix.UtimesNanoAt(dir, name, ts, unix.AT_SYMLINK_NOFOLLOW)
	if err != unix.EPERM && err != unix.ENOSYS {
		return err
	}
	return onOpen(dir, name, err, func(fd int) error { return futimens(fd, ts) })
}

// onOpen does something to an open file or folder. What cannot be opened
// without harm gives refused.
func onOpen(dir int, name string, refused error, do func(fd int) error) error {
	st, err := fstatat(dir, name)
	if err != nil {
		return err
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG && kind != unix.S_IFDIR && kind != unix.S_IFIFO {
		return refused
	}
	fd, err := openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return refused
	}
	defer unix.Close(fd)
	return do(fd)
}

// futimens sets times by descriptor; x/sys has only the path form, and the
// empty path needs Linux 5.8.
func futimens(fd int, ts []unix.Timespec) error {
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&ts[0])), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
