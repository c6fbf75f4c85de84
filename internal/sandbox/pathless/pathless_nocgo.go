//go:build linux && !cgo

package pathless

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// files are the rights over files by landlock's version (landlock(7)).
var files = []uint64{0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff}

// leave takes all rights that this kernel knows from all threads, and grants
// none.
func leave() error {
	version, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return errno
	}
	r := unix.LandlockRulesetAttr{Access_fs: files[min(int(version), len(files)-1)]}
	size := unsafe.Sizeof(r.Access_fs)
	if version >= 4 {
		r.Access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		size += unsafe.Sizeof(r.Access_net)
	}
	if version >= 6 {
		r.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
		size = unsafe.Sizeof(r)
	}
	set, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&r)), size, 0)
	if errno != 0 {
		return errno
	}
	defer unix.Close(int(set))
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
