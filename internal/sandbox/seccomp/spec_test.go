//go:build linux

package seccomp

import (
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// specProgram is the program of a specification's filter.
func specProgram(t *testing.T, s *specs.LinuxSeccomp) func(nr uint32, args ...uint64) verdict {
	t.Helper()
	p, _, err := compileSpec(s)
	if err != nil {
		t.Fatal(err)
	}
	if p == nil {
		return func(uint32, ...uint64) verdict { return allow }
	}
	run := machine(t, p)
	return func(nr uint32, args ...uint64) verdict { return run(auditArch, nr, args...) }
}

func number(n uint) *uint { return &n }

func TestSpecActions(t *testing.T) {
	rule := func(name string, a specs.LinuxSeccompAction, errno *uint, args ...specs.LinuxSeccompArg) specs.LinuxSyscall {
		return specs.LinuxSyscall{Names: []string{name, "no_such_call"}, Action: a, ErrnoRet: errno, Args: args}
	}
	run := specProgram(t, &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno, DefaultErrnoRet: number(38),
		Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchAARCH64},
		Syscalls: []specs.LinuxSyscall{
			rule("read", specs.ActAllow, nil),
			rule("write", specs.ActErrno, nil),
			rule("close", specs.ActErrno, number(13)),
			rule("fstat", specs.ActKill, nil),
			rule("lseek", specs.ActKillThread, nil),
			rule("fsync", specs.ActTrap, nil),
			rule("fdatasync", specs.ActTrace, number(7)),
			rule("ftruncate", specs.ActLog, nil),
			// The first whole rule counts, and before those about arguments.
			rule("ppoll", specs.ActErrno, nil, specs.LinuxSeccompArg{Index: 0, Value: 1, Op: specs.OpEqualTo}),
			rule("ppoll", specs.ActAllow, nil),
			rule("ppoll", specs.ActKill, nil),
			// Several conditions on one argument are alternatives.
			rule("socket", specs.ActAllow, nil,
				specs.LinuxSeccompArg{Index: 0, Value: unix.AF_INET, Op: specs.OpEqualTo},
				specs.LinuxSeccompArg{Index: 0, Value: unix.AF_INET6, Op: specs.OpEqualTo}),
			// On several arguments they must all hold; the first rule that fits counts.
			rule("fcntl", specs.ActErrno, number(1),
				specs.LinuxSeccompArg{Index: 1, Value: 4, Op: specs.OpEqualTo},
				specs.LinuxSeccompArg{Index: 2, Value: 0o4000, ValueTwo: 0o4000, Op: specs.OpMaskedEqual}),
			rule("fcntl", specs.ActAllow, nil, specs.LinuxSeccompArg{Index: 1, Value: 10, Op: specs.OpLessThan}),
		},
	})
	for _, c := range []struct {
		nr   uint32
		args []uint64
		want verdict
	}{
		{unix.SYS_READ, nil, allow},
		{unix.SYS_WRITE, nil, answer(unix.EPERM)},
		{unix.SYS_CLOSE, nil, answer(unix.EACCES)},
		{unix.SYS_FSTAT, nil, kill},
		{unix.SYS_LSEEK, nil, kill},
		{unix.SYS_FSYNC, nil, unix.SECCOMP_RET_TRAP},
		{unix.SYS_FDATASYNC, nil, unix.SECCOMP_RET_TRACE | 7},
		{unix.SYS_FTRUNCATE, nil, unix.SECCOMP_RET_LOG},
		{unix.SYS_PPOLL, []uint64{1}, allow},
		{unix.SYS_MMAP, nil, answer(unix.ENOSYS)},
		{unix.SYS_SOCKET, []uint64{unix.AF_INET}, allow},
		{unix.SYS_SOCKET, []uint64{unix.AF_INET6}, allow},
		{unix.SYS_SOCKET, []uint64{unix.AF_INET | 1<<32}, answer(unix.ENOSYS)},
		{unix.SYS_SOCKET, []uint64{unix.AF_UNIX}, answer(unix.ENOSYS)},
		{unix.SYS_FCNTL, []uint64{0, 4, 0o4002}, answer(unix.EPERM)},
		{unix.SYS_FCNTL, []uint64{0, 4, 0o2}, allow},
		{unix.SYS_FCNTL, []uint64{0, 3, 0o4002}, allow},
		{unix.SYS_FCNTL, []uint64{0, 10}, answer(unix.ENOSYS)},
		// What the table does not let through is none of this program's business.
		{unix.SYS_EXECVE, nil, allow},
	} {
		if got := run(c.nr, c.args...); got != c.want {
			t.Errorf("call %d%v: %#x, want %#x", c.nr, c.args, uint32(got), uint32(c.want))
		}
	}
}

// TestSpecComparisons tries each operator against Go's own arithmetic, on
// values around the border between the halves.
func TestSpecComparisons(t *testing.T) {
	values := []uint64{0, 1, 2, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<32 + 1, 2 << 32, 2<<32 | 1, 1 << 63, 1<<64 - 1}
	holds := map[specs.LinuxSeccompOperator]func(a, v, two uint64) bool{
		specs.OpEqualTo:      func(a, v, _ uint64) bool { return a == v },
		specs.OpNotEqual:     func(a, v, _ uint64) bool { return a != v },
		specs.OpLessThan:     func(a, v, _ uint64) bool { return a < v },
		specs.OpLessEqual:    func(a, v, _ uint64) bool { return a <= v },
		specs.OpGreaterThan:  func(a, v, _ uint64) bool { return a > v },
		specs.OpGreaterEqual: func(a, v, _ uint64) bool { return a >= v },
		specs.OpMaskedEqual:  func(a, v, two uint64) bool { return a&v == two },
	}
	for op, want := range holds {
		for _, v := range values {
			for _, second := range values {
				two := uint64(0)
				if op == specs.OpMaskedEqual {
					two = second & v
				}
				// A second condition, on another argument, has to hold as well.
				run := specProgram(t, &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{
					Names: []string{"read"}, Action: specs.ActKillProcess,
					Args: []specs.LinuxSeccompArg{{Index: 2, Value: v, ValueTwo: two, Op: op}, {Index: 5, Value: second, Op: specs.OpEqualTo}},
				}}})
				for _, a := range values {
					for _, other := range []uint64{second, second + 1} {
						got := run(unix.SYS_READ, 0, 0, a, 0, 0, other) == kill
						if got != (want(a, v, two) && other == second) {
							t.Fatalf("%d %s %d (%d), %d == %d: %v", a, op, v, two, other, second, got)
						}
					}
				}
			}
		}
	}
}

func TestSpecRefuses(t *testing.T) {
	call := func(sc specs.LinuxSyscall) *specs.LinuxSeccomp {
		return &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{sc}}
	}
	args := func(a ...specs.LinuxSeccompArg) *specs.LinuxSeccomp {
		return call(specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActErrno, Args: a})
	}
	for name, c := range map[string]struct {
		s     *specs.LinuxSeccomp
		class func(error) bool
		words string
	}{
		"no action":     {&specs.LinuxSeccomp{}, errdefs.IsInvalidArgument, "default action"},
		"action":        {call(specs.LinuxSyscall{Names: []string{"read"}, Action: "SCMP_ACT_SING"}), errdefs.IsInvalidArgument, "SCMP_ACT_SING"},
		"no names":      {call(specs.LinuxSyscall{Action: specs.ActErrno}), errdefs.IsInvalidArgument, "names no call"},
		"notify":        {call(specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActNotify}), errdefs.IsNotImplemented, "listener"},
		"listener":      {&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, ListenerPath: "/run/l.sock"}, errdefs.IsNotImplemented, "/run/l.sock"},
		"flag":          {&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{"X"}}, errdefs.IsInvalidArgument, `"X"`},
		"architecture":  {&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{"SCMP_ARCH_PDP11"}}, errdefs.IsInvalidArgument, "PDP11"},
		"operator":      {args(specs.LinuxSeccompArg{Op: "SCMP_CMP_ABOUT"}), errdefs.IsInvalidArgument, "SCMP_CMP_ABOUT"},
		"argument":      {args(specs.LinuxSeccompArg{Index: 6, Op: specs.OpEqualTo}), errdefs.IsInvalidArgument, "argument 6"},
		"errno":         {call(specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActErrno, ErrnoRet: number(4096)}), errdefs.IsInvalidArgument, "4096"},
		"trace":         {call(specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActTrace, ErrnoRet: number(1 << 16)}), errdefs.IsInvalidArgument, "65536"},
		"misplaced":     {call(specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActAllow, ErrnoRet: number(1)}), errdefs.IsInvalidArgument, "errnoRet"},
		"default errno": {&specs.LinuxSeccomp{DefaultAction: specs.ActKill, DefaultErrnoRet: number(1)}, errdefs.IsInvalidArgument, "errnoRet"},
	} {
		err := Profile{Spec: c.s}.Check()
		if err == nil || !c.class(err) || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (Profile{Network: "all"}).Check(); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a network that is none: %v", err)
	}
	// More rules than the kernel takes instructions.
	s := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
	for i := range uint64(1000) {
		s.Syscalls = append(s.Syscalls, specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActErrno,
			Args: []specs.LinuxSeccompArg{{Index: 0, Value: i, Op: specs.OpGreaterThan}}})
	}
	if err := (Profile{Spec: s}).Check(); err == nil || !strings.Contains(err.Error(), "4096") {
		t.Errorf("a filter that is too long: %v", err)
	}
}

func TestSpecFlags(t *testing.T) {
	p, flags, err := compileSpec(&specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Flags:         []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog, specs.LinuxSeccompFlagSpecAllow, "SECCOMP_FILTER_FLAG_TSYNC"},
	})
	if p != nil || err != nil || flags != unix.SECCOMP_FILTER_FLAG_LOG|unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW {
		t.Errorf("%d instructions, flags %#x, %v", len(p), flags, err)
	}
}
