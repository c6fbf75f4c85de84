//go:build linux

package seccomp

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The test's program is run again as the process that is sealed.
const sealedEnv = "WHERRY_TEST_SEALED"

func TestMain(m *testing.M) {
	if mode := os.Getenv(sealedEnv); mode != "" {
		if err := sealedModes[mode](); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// sealedModes are what the process does.
var sealedModes = map[string]func() error{
	"costs": costs,
	"lives": func() error { return afterSeal(full, liveOn) },
	"calls": func() error { return afterSeal(full, expectRefusals) },
	"none":  func() error { return afterSeal(Profile{}, expectNoNetwork) },
	"spec":  func() error { return afterSeal(specOnly, expectSpec) },
	"compiler": func() error {
		if err := noNewPrivileges(); err != nil {
			return err
		}
		if err := SealCompiler(); err != nil {
			return err
		}
		if _, err := os.Open("/dev/null"); !errors.Is(err, unix.ENOSYS) {
			return fmt.Errorf("opening a path gave %v", err)
		}
		return liveOn()
	},
	"privileges": func() error {
		if err := Seal(full); err == nil || !strings.Contains(err.Error(), "no_new_privs") {
			return fmt.Errorf("without no_new_privs: %v", err)
		}
		return nil
	},
	"execve": func() error {
		return afterSeal(full, func() error { return unix.Exec("/bin/true", []string{"true"}, nil) })
	},
	"seccomp": func() error {
		return afterSeal(full, func() error {
			_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, 0)
			return errno
		})
	},
	"ptracer": func() error {
		return afterSeal(full, func() error { return unix.Prctl(unix.PR_SET_PTRACER, 1, 0, 0, 0) })
	},
	// A thread that was there before is sealed with the others.
	"thread": func() error {
		ready, sealed, done := make(chan struct{}), make(chan struct{}), make(chan error)
		go func() {
			runtime.LockOSThread()
			close(ready)
			<-sealed
			done <- unix.Unshare(unix.CLONE_FS)
		}()
		<-ready
		return afterSeal(full, func() error { close(sealed); return <-done })
	},
}

var specOnly = Profile{Network: Full, Jailed: true, Spec: &specs.LinuxSeccomp{
	DefaultAction: specs.ActAllow,
	Flags:         []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog},
	Syscalls: []specs.LinuxSyscall{
		{Names: []string{"ftruncate", "setxattr"}, Action: specs.ActErrno, ErrnoRet: number(uint(unix.EXDEV))},
		{Names: []string{"lseek"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Index: 2, Value: unix.SEEK_END, Op: specs.OpEqualTo}}},
	},
}}

func noNewPrivileges() error {
	runtime.LockOSThread()
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

func afterSeal(p Profile, do func() error) error {
	if err := noNewPrivileges(); err != nil {
		return err
	}
	if err := Seal(p); err != nil {
		return err
	}
	return do()
}

// runSealed runs this program in a mode.
func runSealed(t *testing.T, mode string) (*os.ProcessState, string) {
	t.Helper()
	if err := Supported(); err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), sealedEnv+"="+mode)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState, string(out)
}

func TestSealedProcess(t *testing.T) {
	for _, mode := range []string{"lives", "calls", "none", "spec", "compiler", "privileges"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			if st, out := runSealed(t, mode); !st.Success() {
				t.Errorf("%v\n%s", st, out)
			}
		})
	}
}

func TestDeadlyCallsEnd(t *testing.T) {
	for _, mode := range []string{"execve", "seccomp", "ptracer", "thread"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			st, out := runSealed(t, mode)
			ws, ok := st.Sys().(syscall.WaitStatus)
			if !ok || !ws.Signaled() || ws.Signal() != unix.SIGSYS {
				t.Errorf("%v, want it ended by SIGSYS\n%s", st, out)
			}
		})
	}
}

// liveOn does what the Go runtime does in a long life: threads, collections,
// timers, preemption, faults that are recovered.
func liveOn() error {
	var wg sync.WaitGroup
	stop := time.Now().Add(300 * time.Millisecond)
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			// A thread of its own that ends with the goroutine.
			runtime.LockOSThread()
			var keep [][]byte
			for time.Now().Before(stop) {
				keep = append(keep, make([]byte, 1<<16))
				if len(keep) > 64 {
					keep = nil
					runtime.GC()
				}
				time.Sleep(time.Microsecond)
			}
		}()
	}
	wg.Add(1)
	go func() { // never yields by itself
		defer wg.Done()
		for n := 0; time.Now().Before(stop); n++ {
			_ = n
		}
	}()
	wg.Wait()
	fired := make(chan struct{})
	time.AfterFunc(10*time.Millisecond, func() { close(fired) })
	<-fired
	var nowhere *int
	defer func() {
		if recover() == nil {
			panic("a nil pointer was read")
		}
	}()
	return fmt.Errorf("read %d from a nil pointer", *nowhere)
}

func refusals(want unix.Errno, calls map[string]func() error) error {
	var wrong []error
	for name, call := range calls {
		if err := call(); !errors.Is(err, want) {
			wrong = append(wrong, fmt.Errorf("%s gave %v, want %v", name, err, want))
		}
	}
	return errors.Join(wrong...)
}

func raw(nr uintptr, args ...uintptr) func() error {
	args = append(args, make([]uintptr, 6-len(args))...)
	return func() error {
		_, _, errno := unix.Syscall6(nr, args[0], args[1], args[2], args[3], args[4], args[5])
		if errno == 0 {
			return nil
		}
		return errno
	}
}

func expectRefusals() error {
	path, err := unix.BytePtrFromString("/dev/null")
	if err != nil {
		return err
	}
	p := uintptr(unsafe.Pointer(path))
	memory, err := unix.Mmap(-1, 0, 1<<16, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return fmt.Errorf("plain memory: %w", err)
	}
	err = errors.Join(
		refusals(unix.EPERM, map[string]func() error{
			"executable memory": func() error {
				_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
				return err
			},
			"memory made executable": func() error { return unix.Mprotect(memory, unix.PROT_READ|unix.PROT_EXEC) },
			"a signal to the parent": func() error { return unix.Kill(os.Getppid(), 0) },
			"a thread's signal to the parent": func() error {
				return unix.Tgkill(os.Getppid(), os.Getppid(), 0)
			},
			"a fork": raw(unix.SYS_CLONE, uintptr(unix.SIGCHLD)),
		}),
		refusals(unix.EACCES, map[string]func() error{
			"a path": func() error { _, err := os.Stat("/"); return err },
			"a unix socket": func() error {
				_, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
				return err
			},
			"a netlink socket": func() error {
				_, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, 0)
				return err
			},
		}),
		refusals(unix.ENOSYS, map[string]func() error{
			"setxattr": raw(unix.SYS_SETXATTR, p, p, p, 1, 0), "inotify": raw(unix.SYS_INOTIFY_INIT1),
		}),
		refusals(unix.EINVAL, map[string]func() error{
			"prctl": func() error { return unix.Prctl(unix.PR_SET_NAME, p, 0, 0, 0) },
		}),
	)
	runtime.KeepAlive(path)
	fd, sockErr := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if sockErr == nil {
		sockErr = unix.Close(fd)
	}
	return errors.Join(err, sockErr)
}

func expectNoNetwork() error {
	return refusals(unix.EACCES, map[string]func() error{
		"socket": raw(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM), "socketpair": raw(unix.SYS_SOCKETPAIR, unix.AF_UNIX, unix.SOCK_STREAM),
		"connect": raw(unix.SYS_CONNECT), "accept": raw(unix.SYS_ACCEPT4), "bind": raw(unix.SYS_BIND), "listen": raw(unix.SYS_LISTEN),
		"sendto": raw(unix.SYS_SENDTO), "recvfrom": raw(unix.SYS_RECVFROM), "sendmsg": raw(unix.SYS_SENDMSG),
		"recvmsg": raw(unix.SYS_RECVMSG), "shutdown": raw(unix.SYS_SHUTDOWN), "getsockopt": raw(unix.SYS_GETSOCKOPT),
	})
}

func expectSpec() error {
	fd, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	_, end := unix.Seek(fd, 0, unix.SEEK_END)
	_, start := unix.Seek(fd, 0, unix.SEEK_SET)
	return errors.Join(start,
		refusals(unix.EXDEV, map[string]func() error{"ftruncate": func() error { return unix.Ftruncate(fd, 1) }}),
		refusals(unix.EPERM, map[string]func() error{"lseek": func() error { return end }}),
		refusals(unix.ENOSYS, map[string]func() error{"setxattr": raw(unix.SYS_SETXATTR)}))
}

// costs prints what sealing takes in ns, and a call without limits and one with
// limits before and after.
func costs() error {
	measure := func(nr uintptr, arg uintptr) int64 {
		const n = 20000
		begin := time.Now()
		for range n {
			unix.RawSyscall(nr, 0, arg, 0)
		}
		return time.Since(begin).Nanoseconds() / n
	}
	before := [2]int64{measure(unix.SYS_GETTID, 0), measure(unix.SYS_FCNTL, unix.F_GETFD)}
	begin := time.Now()
	err := afterSeal(full, func() error { return nil })
	took := time.Since(begin)
	fmt.Println(took.Nanoseconds(), before[0], measure(unix.SYS_GETTID, 0), before[1], measure(unix.SYS_FCNTL, unix.F_GETFD))
	return err
}

// BenchmarkSeal measures what a start pays for the seal and what a call pays
// afterwards: the least of all rounds, as others work on the machine too.
func BenchmarkSeal(b *testing.B) {
	var least [5]int64
	for b.Loop() {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), sealedEnv+"=costs")
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		var v [5]int64
		if _, err := fmt.Sscan(string(out), &v[0], &v[1], &v[2], &v[3], &v[4]); err != nil {
			b.Fatal(err)
		}
		for i := range v {
			if least[i] == 0 || v[i] < least[i] {
				least[i] = v[i]
			}
		}
	}
	for i, unit := range []string{"seal-ns", "gettid-before-ns", "gettid-ns", "fcntl-before-ns", "fcntl-ns"} {
		b.ReportMetric(float64(least[i]), unit)
	}
}
