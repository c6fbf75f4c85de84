//go:build linux

package seccomp

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Supported tells why the kernel cannot filter system calls, nil where it can.
// A kernel without it is one that an emulator plays, or one built without.
func Supported() error {
	action := uint32(unix.SECCOMP_RET_KILL_PROCESS)
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
	if errno != 0 {
		return fmt.Errorf("this kernel has no seccomp filters that end a process (Linux 4.14): %w", errno)
	}
	return nil
}

// RefusesCode tells whether the kernel can keep a process from getting new
// executable memory (PR_SET_MDWE, Linux 6.3). The filter refuses it in any case.
func RefusesCode() bool {
	_, err := unix.PrctlRetInt(unix.PR_GET_MDWE, 0, 0, 0, 0)
	return err == nil
}

// Seal closes the process for good, all its threads: no new executable memory,
// and only the calls of the table, by the profile. It must come last, when all that a guest needs is open and its code
// is loaded, and needs no_new_privs on the calling thread.
//
// Where the kernel has no filters ([Supported]) there is no error, unless the
// specification asks for one.
func Seal(p Profile) error {
	kind, err := p.kind()
	if err != nil {
		return err
	}
	own, flags, err := compileSpec(p.Spec)
	if err != nil {
		return err
	}
	if err := Supported(); err != nil {
		if p.Spec != nil {
			return fmt.Errorf("the specification asks for a seccomp filter: %w", err)
		}
		return nil
	}
	if p.Hidden {
		if err := hide(); err != nil {
			return err
		}
	}
	if err := refuseCode(); err != nil {
		return err
	}
	// The specification's first: the table refuses to install another.
	if len(own) > 0 {
		if err := install(own, flags); err != nil {
			return fmt.Errorf("the specification's seccomp filter: %w", err)
		}
	}
	return filter(kind, flags&unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW)
}

// SealCompiler closes a process that compiles: what it still may do is to read
// and write the descriptors that it has, and to make memory and threads. Its
// compilers make executable memory, so that stays.
func SealCompiler() error {
	if err := hide(); err != nil || Supported() != nil {
		return err
	}
	return filter(compiler, 0)
}

// filter installs the program of the table.
func filter(kind set, flags uintptr) error {
	// The runtime opens its poller at the first timer and ends the process where
	// that fails. It has a timer now, so that the calls for it need not pass.
	time.AfterFunc(time.Hour, func() {}).Stop()

	p, err := policy(kind, os.Getpid())
	if err != nil {
		return err
	}
	return install(p, flags)
}

// hide keeps others of the same user from looking into the process, and its
// memory out of core dumps (PR_SET_DUMPABLE(2const)).
func hide() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("make the process undumpable: %w", err)
	}
	return nil
}

// refuseCode has the kernel refuse new executable memory where it can.
func refuseCode() error {
	err := unix.Prctl(unix.PR_SET_MDWE, unix.PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)
	if err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("refuse new executable memory: %w", err)
	}
	return nil
}

// install gives a program to all threads of this process.
func install(p []unix.SockFilter, flags uintptr) error {
	// The thread that asks must have it; the others get it from there.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if on, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || on != 1 {
		return errors.Join(errors.New("seal the process: no_new_privs is not set"), err)
	}
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	tid, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		flags|unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return fmt.Errorf("install a seccomp filter: %w", errno)
	}
	if tid != 0 {
		return fmt.Errorf("install a seccomp filter: thread %d has one of its own", tid)
	}
	return nil
}
