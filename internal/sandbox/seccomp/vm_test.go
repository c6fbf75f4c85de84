//go:build linux

package seccomp

import (
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// data is what the kernel shows a filter of a call. x/net's machine loads words
// in network order, so each word lies in that order here.
func data(arch, nr uint32, args ...uint64) []byte {
	b := binary.BigEndian.AppendUint32(nil, nr)
	b = binary.BigEndian.AppendUint32(b, arch)
	b = append(b, make([]byte, 8)...) // where the call came from
	for i := range 6 {
		var v uint64
		if i < len(args) {
			v = args[i]
		}
		b = binary.BigEndian.AppendUint32(b, uint32(v))
		b = binary.BigEndian.AppendUint32(b, uint32(v>>32))
	}
	return b
}

// machine runs a program. It fails the test where the program would not load.
func machine(t testing.TB, p []unix.SockFilter) func(arch, nr uint32, args ...uint64) verdict {
	t.Helper()
	raw := make([]bpf.RawInstruction, len(p))
	for i, f := range p {
		raw[i] = bpf.RawInstruction{Op: f.Code, Jt: f.Jt, Jf: f.Jf, K: f.K}
	}
	instructions, ok := bpf.Disassemble(raw)
	if !ok {
		t.Fatal("an instruction is none")
	}
	vm, err := bpf.NewVM(instructions)
	if err != nil {
		t.Fatal(err)
	}
	return func(arch, nr uint32, args ...uint64) verdict {
		v, err := vm.Run(data(arch, nr, args...))
		if err != nil {
			t.Fatal(err)
		}
		return verdict(uint32(v))
	}
}

const testPID = 4711

// sealed is the program of a profile, for calls of this architecture.
func sealed(t testing.TB, p Profile) func(nr uint32, args ...uint64) verdict {
	t.Helper()
	kind, err := p.kind()
	if err != nil {
		t.Fatal(err)
	}
	return kindProgram(t, kind)
}

func kindProgram(t testing.TB, kind set) func(nr uint32, args ...uint64) verdict {
	t.Helper()
	prog, err := policy(kind, testPID)
	if err != nil {
		t.Fatal(err)
	}
	run := machine(t, prog)
	return func(nr uint32, args ...uint64) verdict { return run(auditArch, nr, args...) }
}

var full = Profile{Network: Full, Jailed: true}

// guesses are arguments that let a call through if any do.
func guesses(c *call) [][]uint64 {
	list := [][]uint64{make([]uint64, 6)}
	for _, l := range c.limits {
		in := l.in
		if l.self {
			in = []uint32{testPID}
		}
		var next [][]uint64
		for _, g := range list {
			for _, v := range in {
				h := slices.Clone(g)
				if !l.high {
					h[l.arg] |= uint64(v)
				}
				next = append(next, h)
			}
		}
		list = next
	}
	return list
}

// TestAtMost80CallsPass tries every number with every argument that a limit
// knows.
func TestAtMost80CallsPass(t *testing.T) {
	tried := [][]uint64{make([]uint64, 6), {testPID}}
	for i := range calls {
		tried = append(tried, guesses(&calls[i])...)
	}
	for name, p := range map[string]Profile{
		"full": full, "listen": {Network: Listen, Jailed: true}, "none": {Jailed: true},
		"no jail": {Network: Full},
	} {
		run := sealed(t, p)
		passing := 0
		for nr := range uint32(1 << 12) {
			if slices.ContainsFunc(tried, func(args []uint64) bool { return run(nr, args...) == allow }) {
				passing++
			}
		}
		t.Logf("%s: %d calls pass", name, passing)
		if passing == 0 || passing > 80 {
			t.Errorf("%s: %d calls pass, want at most 80", name, passing)
		}
		for i := range calls {
			c := &calls[i]
			want := 0
			if kind, _ := p.kind(); c.in&kind != 0 {
				want = 1
			}
			got := 0
			if slices.ContainsFunc(tried, func(args []uint64) bool { return run(c.nr, args...) == allow }) {
				got = 1
			}
			if got != want {
				t.Errorf("%s: %s passes: %d, want %d", name, c.name, got, want)
			}
		}
	}
}

func TestNoCallIsInTwoLists(t *testing.T) {
	seen := map[uint32]bool{unix.SYS_PRCTL: true}
	names := map[string]bool{}
	once := func(nr uint32) {
		if seen[nr] {
			t.Errorf("call %d stands twice", nr)
		}
		seen[nr] = true
	}
	for _, c := range calls {
		once(c.nr)
		if names[c.name] || c.why == "" {
			t.Errorf("%s: named twice, or nothing says why", c.name)
		}
		names[c.name] = true
	}
	for _, c := range allDeadly() {
		once(c.nr)
	}
	for _, r := range refused {
		once(r.nr)
	}
}

func allDeadly() []named {
	all := slices.Clone(moreDeadly)
	for _, group := range deadly {
		all = append(all, group.calls...)
	}
	return all
}

func TestPolicy(t *testing.T) {
	eperm, eacces, enosys, einval := answer(unix.EPERM), answer(unix.EACCES), answer(unix.ENOSYS), answer(unix.EINVAL)
	cwd := uint64(0xffffffffffffff9c) // AT_FDCWD
	listen, none, noJail := Profile{Network: Listen, Jailed: true}, Profile{Jailed: true}, Profile{Network: Full}
	for _, c := range []struct {
		name string
		p    Profile
		nr   uint32
		args []uint64
		want verdict
	}{
		{"read", full, unix.SYS_READ, []uint64{3, 0xdead, 100}, allow},
		{"mmap data", full, unix.SYS_MMAP, []uint64{0, 4096, unix.PROT_READ | unix.PROT_WRITE}, allow},
		{"mmap code", full, unix.SYS_MMAP, []uint64{0, 4096, unix.PROT_READ | unix.PROT_EXEC}, eperm},
		{"mprotect code", full, unix.SYS_MPROTECT, []uint64{0, 4096, unix.PROT_EXEC}, eperm},
		{"mprotect data", full, unix.SYS_MPROTECT, []uint64{0, 4096, unix.PROT_READ}, allow},
		{"pkey_mprotect", full, unix.SYS_PKEY_MPROTECT, nil, eperm},
		{"shmat", full, unix.SYS_SHMAT, nil, kill},
		{"thread", full, unix.SYS_CLONE, []uint64{unix.CLONE_VM | unix.CLONE_THREAD | unix.CLONE_SIGHAND}, allow},
		{"fork", full, unix.SYS_CLONE, []uint64{uint64(unix.SIGCHLD)}, eperm},
		{"vfork", full, unix.SYS_CLONE, []uint64{unix.CLONE_VM | unix.CLONE_VFORK}, eperm},
		{"thread in a namespace", full, unix.SYS_CLONE, []uint64{unix.CLONE_THREAD | unix.CLONE_NEWUSER}, eperm},
		{"clone3", full, unix.SYS_CLONE3, nil, enosys},
		{"tgkill self", full, unix.SYS_TGKILL, []uint64{testPID, 1, 6}, allow},
		{"tgkill other", full, unix.SYS_TGKILL, []uint64{1, 1, 9}, eperm},
		{"kill", full, unix.SYS_KILL, []uint64{testPID, 9}, eperm},
		{"openat below", full, unix.SYS_OPENAT, []uint64{5}, allow},
		{"openat", full, unix.SYS_OPENAT, []uint64{cwd}, eacces},
		{"openat, 32 bits", full, unix.SYS_OPENAT, []uint64{cwd & 0xffffffff}, eacces},
		{"openat2", full, unix.SYS_OPENAT2, []uint64{cwd}, eacces},
		{"stat", full, unix.SYS_NEWFSTATAT, []uint64{cwd}, eacces},
		{"chmod", full, unix.SYS_FCHMODAT, []uint64{cwd}, eacces},
		{"chmod below", full, unix.SYS_FCHMODAT, []uint64{5}, allow},
		{"chmod below, no jail", noJail, unix.SYS_FCHMODAT, []uint64{5}, enosys},
		{"chown below, no jail", noJail, unix.SYS_FCHOWNAT, []uint64{5}, enosys},
		{"utimes of a path", full, unix.SYS_UTIMENSAT, []uint64{5, 1 << 40}, allow},
		{"utimes of a path, no jail", noJail, unix.SYS_UTIMENSAT, []uint64{5, 1 << 40}, eperm},
		{"utimes of a low path, no jail", noJail, unix.SYS_UTIMENSAT, []uint64{5, 1 << 12}, eperm},
		{"futimens, no jail", noJail, unix.SYS_UTIMENSAT, []uint64{5, 0}, allow},
		{"link from below", full, unix.SYS_LINKAT, []uint64{5, 0, 6, 0}, allow},
		{"link from", full, unix.SYS_LINKAT, []uint64{cwd, 0, 6, 0}, eacces},
		{"link to", full, unix.SYS_LINKAT, []uint64{5, 0, cwd, 0}, eacces},
		{"symlink", full, unix.SYS_SYMLINKAT, []uint64{0, cwd}, eacces},
		{"setxattr", full, unix.SYS_SETXATTR, nil, enosys},
		{"FIFO", full, unix.SYS_MKNODAT, []uint64{5, 0, unix.S_IFIFO | 0o600}, allow},
		{"device", full, unix.SYS_MKNODAT, []uint64{5, 0, unix.S_IFCHR | 0o600}, eperm},
		{"isatty", full, unix.SYS_IOCTL, []uint64{0, unix.TCGETS}, allow},
		{"type into a terminal", full, unix.SYS_IOCTL, []uint64{0, unix.TIOCSTI}, eperm},
		{"the same, dressed up", full, unix.SYS_IOCTL, []uint64{0, 1<<32 | unix.TIOCSTI}, eperm},
		{"fcntl", full, unix.SYS_FCNTL, []uint64{0, unix.F_GETFL}, allow},
		{"fcntl owner", full, unix.SYS_FCNTL, []uint64{0, unix.F_SETOWN}, eperm},
		{"memfd", full, unix.SYS_MEMFD_CREATE, []uint64{0, unix.MFD_CLOEXEC}, allow},
		{"executable memfd", full, unix.SYS_MEMFD_CREATE, []uint64{0, unix.MFD_EXEC}, eperm},
		{"name memory", full, unix.SYS_PRCTL, []uint64{unix.PR_SET_VMA}, einval},
		{"be traced", full, unix.SYS_PRCTL, []uint64{unix.PR_SET_PTRACER, 1}, kill},
		{"TCP", full, unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM | unix.SOCK_CLOEXEC, 0}, allow},
		{"raw", full, unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_RAW, 1}, eacces},
		{"SCTP", full, unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP}, eacces},
		{"AF_UNIX", full, unix.SYS_SOCKET, []uint64{unix.AF_UNIX, unix.SOCK_STREAM, 0}, eacces},
		{"netlink", full, unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, unix.SOCK_RAW, 0}, eacces},
		{"vsock", full, unix.SYS_SOCKET, []uint64{unix.AF_VSOCK, unix.SOCK_STREAM, 0}, eacces},
		{"pair", full, unix.SYS_SOCKETPAIR, []uint64{unix.AF_UNIX, unix.SOCK_STREAM}, allow},
		{"TCP pair", full, unix.SYS_SOCKETPAIR, []uint64{unix.AF_INET, unix.SOCK_STREAM}, eacces},
		{"connect", full, unix.SYS_CONNECT, nil, allow},
		{"connect, listen only", listen, unix.SYS_CONNECT, nil, eacces},
		{"accept, listen only", listen, unix.SYS_ACCEPT4, nil, allow},
		{"socket, no network", none, unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM, 0}, eacces},
		{"sendmsg, no network", none, unix.SYS_SENDMSG, nil, eacces},
		{"getsockname, no network", none, unix.SYS_GETSOCKNAME, nil, eacces},
		{"sched_getaffinity", full, unix.SYS_SCHED_GETAFFINITY, nil, enosys},
		{"nothing", full, 3999, nil, enosys},
		{"negative", full, 0x3fffffff, nil, enosys},
	} {
		if got := sealed(t, c.p)(c.nr, c.args...); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, uint32(got), uint32(c.want))
		}
	}
	run := sealed(t, full)
	for _, c := range allDeadly() {
		if got := run(c.nr); got != kill {
			t.Errorf("%s: %#x", c.name, uint32(got))
		}
	}
}

func TestOtherArchitecturesEnd(t *testing.T) {
	prog, err := policy(guests, testPID)
	if err != nil {
		t.Fatal(err)
	}
	run := machine(t, prog)
	for _, arch := range []uint32{unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_AARCH64, unix.AUDIT_ARCH_RISCV64, unix.AUDIT_ARCH_ARM, 0} {
		want := kill
		if arch == auditArch {
			want = allow
		}
		if got := run(arch, unix.SYS_READ); got != want {
			t.Errorf("architecture %#x: %#x", arch, uint32(got))
		}
	}
	if foreign != 0 {
		for _, nr := range []uint32{foreign, foreign | unix.SYS_READ, 1<<32 - 1} {
			if got := run(auditArch, nr); got != kill {
				t.Errorf("call %#x: %#x", nr, uint32(got))
			}
		}
	}
}

// A compiler's process has nothing to do with paths or sockets.
func TestCompiler(t *testing.T) {
	run := kindProgram(t, compiler)
	for _, c := range []struct {
		nr   uint32
		args []uint64
		want verdict
	}{
		{unix.SYS_READ, nil, allow},
		{unix.SYS_MPROTECT, []uint64{0, 4096, unix.PROT_READ | unix.PROT_EXEC}, allow},
		{unix.SYS_OPENAT, []uint64{5}, answer(unix.ENOSYS)},
		{unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM}, answer(unix.EACCES)},
		{unix.SYS_EXECVE, nil, kill},
		{unix.SYS_PTRACE, nil, kill},
	} {
		if got := run(c.nr, c.args...); got != c.want {
			t.Errorf("call %d: %#x, want %#x", c.nr, uint32(got), uint32(c.want))
		}
	}
	passing := 0
	for _, c := range calls {
		if run(c.nr, guesses(&c)[0]...) == allow {
			passing++
		}
	}
	t.Logf("%d calls pass", passing)
	if passing > 40 {
		t.Errorf("%d calls pass", passing)
	}
}

func BenchmarkPolicy(b *testing.B) {
	kind, err := full.kind()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var p []unix.SockFilter
	for b.Loop() {
		if p, err = policy(kind, testPID); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(p)), "instructions")
}
