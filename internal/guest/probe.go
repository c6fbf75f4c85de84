//go:build linux && wherryprobe

package guest

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// With the build tag wherryprobe, which no release has, a container process
// whose guest has WHERRY_PROBE in its environment does not run the guest: past
// the WASI host, from where an attacker would stand who had broken out of the
// engine, it tries what the walls are there to stop, and says what came of it.
//
// WHERRY_PROBE is the name of one call that should end the process, or "reach"
// for all those that should be refused. Each gives a line on standard output:
// a name, and "denied" with the error, or "REACHED".

// call runs the guest or the probe in its place.
func (g *running) call(ctx context.Context, cfg Config) error {
	name := variable(cfg.Env, "WHERRY_PROBE")
	if name == "" {
		_, err := g.instance.Call(ctx, cfg.function())
		return err
	}
	p := probe{file: variable(cfg.Env, "WHERRY_PROBE_FILE"), other: variable(cfg.Env, "WHERRY_PROBE_PID"), port: variable(cfg.Env, "WHERRY_PROBE_PORT")}
	if name == "reach" {
		p.reach()
		return nil
	}
	try, ok := ending[name]
	if !ok {
		return fmt.Errorf("there is no probe %q", name)
	}
	p.say(name, try())
	return nil
}

func variable(env []string, name string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

// probe is what an attacker would like to get at.
type probe struct {
	// file is a file of the host that anybody may read, other a process's pid,
	// port a port on which somebody listens on the host's loopback.
	file, other, port string
}

// say prints an outcome.
func (probe) say(name string, err error) {
	line := name + ": REACHED\n"
	if errno, ok := err.(unix.Errno); ok {
		line = name + ": denied " + unix.ErrnoName(errno) + "\n"
	} else if err != nil {
		line = name + ": denied " + err.Error() + "\n"
	}
	if _, err := unix.Write(1, []byte(line)); err != nil {
		panic(err)
	}
}

// raw makes a system call on this thread.
func raw(nr uintptr, args ...uintptr) error {
	args = append(args, make([]uintptr, 6-len(args))...)
	_, _, errno := unix.Syscall6(nr, args[0], args[1], args[2], args[3], args[4], args[5])
	runtime.KeepAlive(args)
	if errno == 0 {
		return nil
	}
	return errno
}

// ending are calls that should end the process: with arguments for which an
// ordinary kernel would do them, or say more than "bad argument".
var ending = map[string]func() error{
	"execve":           func() error { return unix.Exec("/proc/self/exe", []string{"x"}, nil) },
	"execveat":         func() error { return raw(unix.SYS_EXECVEAT, 0, pointer(""), 0, 0, unix.AT_EMPTY_PATH) },
	"ptrace":           func() error { return raw(unix.SYS_PTRACE, unix.PTRACE_TRACEME) },
	"process_vm_readv": func() error { return raw(unix.SYS_PROCESS_VM_READV, uintptr(unix.Getpid())) },
	"pidfd_open":       func() error { return raw(unix.SYS_PIDFD_OPEN, uintptr(unix.Getpid())) },
	"mount":            func() error { return unix.Mount("none", "/", "tmpfs", 0, "") },
	"umount":           func() error { return unix.Unmount("/", unix.MNT_DETACH) },
	"open_tree":        func() error { return raw(unix.SYS_OPEN_TREE, 0, pointer("/"), 1) },
	"pivot_root":       func() error { return unix.PivotRoot(".", ".") },
	"chroot":           func() error { return unix.Chroot("/") },
	"setns":            func() error { return unix.Setns(0, 0) },
	"unshare":          func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
	"bpf":              func() error { return raw(unix.SYS_BPF) },
	"io_uring_setup":   func() error { return raw(unix.SYS_IO_URING_SETUP, 1, pointer(strings.Repeat("\x00", 120))) },
	"userfaultfd":      func() error { return raw(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|1) },
	"perf_event_open":  func() error { return raw(unix.SYS_PERF_EVENT_OPEN) },
	"keyctl":           func() error { return raw(unix.SYS_KEYCTL, 0, ^uintptr(2)) },
	"add_key": func() error {
		return raw(unix.SYS_ADD_KEY, pointer("user"), pointer("x"), pointer("y"), 1, ^uintptr(2))
	},
	"open_by_handle_at": func() error { return raw(unix.SYS_OPEN_BY_HANDLE_AT) },
	"setuid":            func() error { return raw(unix.SYS_SETUID, 0) },
	"capset":            func() error { return raw(unix.SYS_CAPSET) },
	"personality":       func() error { return raw(unix.SYS_PERSONALITY, 0xffffffff) },
	"seccomp":           func() error { return raw(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL) },
	"ptracer":           func() error { return unix.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0) },
	"init_module":       func() error { return raw(unix.SYS_INIT_MODULE) },
	"reboot":            func() error { return raw(unix.SYS_REBOOT) },
}
