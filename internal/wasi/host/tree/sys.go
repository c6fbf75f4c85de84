//go:build linux

package tree

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// noOpenat2 is set once the kernel answers ENOSYS to openat2 (before Linux 5.6,
// or a seccomp filter), and by tests. Every path is then walked.
var noOpenat2 atomic.Bool

// beneath is how the fast path opens: nothing outside the given folder, and
// none of procfs's links, which jump without a path.
const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS

// eagainTries bounds how often openat2 is tried again. The kernel answers
// EAGAIN when any rename on the machine runs beside a lookup of "..", so it
// says nothing about the path; the walk takes over then.
const eagainTries = 8

// retry calls f again for as long as a signal interrupts it.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// openat opens one name. Every caller passes a single component and O_NOFOLLOW
// (or "."), so there is nothing for it to escape through.
func openat(dir int, name string, flags int, mode uint32) (int, error) {
	fd := -1
	err := retry(func() (err error) {
		fd, err = unix.Openat(dir, name, flags|unix.O_CLOEXEC|unix.O_LARGEFILE, mode)
		return err
	})
	if err != nil {
		return -1, err
	}
	return fd, nil
}

// openPath opens a name for passing through or looking at, without opening
// what it stands for.
func openPath(dir int, name string, flags int) (int, error) {
	return openat(dir, name, flags|unix.O_PATH|unix.O_NOFOLLOW, 0)
}

// openat2 opens a path below dir. The error is EAGAIN or ENOSYS when the walk
// must decide.
func openat2(dir int, path string, flags uint64, resolve uint64) (int, error) {
	if noOpenat2.Load() {
		return -1, unix.ENOSYS
	}
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC | unix.O_LARGEFILE, Resolve: resolve}
	if flags&unix.O_PATH != 0 { // openat2 refuses flags that O_PATH ignores
		how.Flags &^= unix.O_LARGEFILE
	}
	for try := 0; ; try++ {
		fd, err := unix.Openat2(dir, path, &how)
		switch {
		case err == nil:
			return fd, nil
		case err == unix.EINTR:
			try--
		case err == unix.ENOSYS:
			noOpenat2.Store(true)
			return -1, err
		case err == unix.EPERM && try == 0 && !openat2Works(dir):
			noOpenat2.Store(true) // a seccomp filter of an older container runtime
			return -1, unix.ENOSYS
		case err == unix.EAGAIN && try < eagainTries:
		default:
			return -1, err
		}
	}
}

// openat2Works tells a kernel that refuses the call from one that refuses a
// path. It asks for a folder that is open: once the process is sealed, no path
// begins at the working directory.
func openat2Works(dir int) bool {
	fd, err := unix.Openat2(dir, ".", &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC})
	if err == nil {
		unix.Close(fd)
	}
	return err == nil
}

func fstatat(dir int, name string) (st unix.Stat_t, err error) {
	err = retry(func() error { return unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return st, err
}

func fstat(fd int) (st unix.Stat_t, err error) {
	err = retry(func() error { return unix.Fstat(fd, &st) })
	return st, err
}

func readlinkat(dir int, name string) (string, error) {
	buf := make([]byte, 4096) // PATH_MAX; no file system of Linux has longer ones
	n, err := unix.Readlinkat(dir, name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// closeFD closes a descriptor that may be absent (negative).
func closeFD(fds ...int) {
	for _, fd := range fds {
		if fd >= 0 {
			unix.Close(fd) // nothing was written through it; Linux frees it whatever it answers
		}
	}
}

func dup(fd int) (int, error) {
	if fd < 0 {
		return -1, nil
	}
	return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
}

// key names an inode of the host.
type key struct{ dev, ino uint64 }

func keyOf(st *unix.Stat_t) key { return key{uint64(st.Dev), st.Ino} }
