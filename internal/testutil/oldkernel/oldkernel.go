//go:build linux

// Package oldkernel takes system calls away from a test's process, so that what
// is done without them is tested on any machine. It must not know what they are
// used for.
package oldkernel

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Enter makes the process one without openat2, fchmodat2, fchmodat, fchownat
// and the utimensat that takes a path: what a kernel before 5.6 lacks, and what
// a sealed process without a jail is refused. It cannot be undone; threads and
// programs that the process starts are like it.
func Enter() error {
	const (
		nr      = 0      // struct seccomp_data of linux/seccomp.h
		pathArg = 16 + 8 // its second argument, the lower half
	)
	load := func(off uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: off}
	}
	equal := func(k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	ret := func(v uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: v} }
	enosys, eperm := unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS), unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM)
	program := []unix.SockFilter{load(nr)}
	for _, gone := range []uint32{unix.SYS_OPENAT2, unix.SYS_FCHMODAT2, unix.SYS_FCHMODAT, unix.SYS_FCHOWNAT} {
		program = append(program, equal(gone, 0, 1), ret(enosys))
	}
	program = append(program,
		equal(unix.SYS_UTIMENSAT, 0, 6),
		load(pathArg), equal(0, 0, 2),
		load(pathArg+4), equal(0, 1, 0),
		ret(eperm),
		ret(unix.SECCOMP_RET_ALLOW),
		ret(unix.SECCOMP_RET_ALLOW))

	runtime.LockOSThread() // both calls are for one thread
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	return nil
}
