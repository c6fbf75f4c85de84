//go:build linux

package host

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// MaxIovecs is how many buffers one call may name: Linux's IOV_MAX.
const MaxIovecs = 1024

// Readv reads into the buffers from a descriptor's own position (readv(2)).
func Readv(fd int, v []unix.Iovec) (int, error) {
	return vectored(unix.SYS_READV, fd, v, 0)
}

// Writev writes the buffers at a descriptor's own position (writev(2)).
func Writev(fd int, v []unix.Iovec) (int, error) {
	return vectored(unix.SYS_WRITEV, fd, v, 0)
}

// Preadv reads from an offset and leaves the position alone (preadv(2)).
func Preadv(fd int, v []unix.Iovec, off int64) (int, error) {
	return vectored(unix.SYS_PREADV, fd, v, off)
}

// Pwritev writes at an offset and leaves the position alone (pwritev(2)).
func Pwritev(fd int, v []unix.Iovec, off int64) (int, error) {
	return vectored(unix.SYS_PWRITEV, fd, v, off)
}

func vectored(call uintptr, fd int, v []unix.Iovec, off int64) (int, error) {
	for {
		// The offset goes in the low word; the high word is ignored by 64-bit
		// kernels, the only ones Wherry runs on.
		n, _, errno := unix.Syscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(v))),
			uintptr(len(v)), uintptr(off), 0, 0)
		if errno == 0 {
			return int(n), nil
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// Total is how many bytes the buffers hold together.
func Total(v []unix.Iovec) int {
	n := 0
	for i := range v {
		n += int(v[i].Len)
	}
	return n
}

// Advance drops the first n bytes of the buffers, in place.
func Advance(v []unix.Iovec, n int) []unix.Iovec {
	for len(v) > 0 && n >= int(v[0].Len) {
		n -= int(v[0].Len)
		v = v[1:]
	}
	if n > 0 && len(v) > 0 {
		v[0].Base = (*byte)(unsafe.Add(unsafe.Pointer(v[0].Base), n))
		v[0].SetLen(int(v[0].Len) - n)
	}
	return v
}

// Limit cuts the buffers off after n bytes, in place.
func Limit(v []unix.Iovec, n int) []unix.Iovec {
	for i := range v {
		if int(v[i].Len) >= n {
			v[i].SetLen(n)
			return v[:i+1]
		}
		n -= int(v[i].Len)
	}
	return v
}
