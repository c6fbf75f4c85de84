//go:build linux

package seccomp

import (
	"fmt"
	"math"
	"slices"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// maxErrno is the largest error number that a filter can answer (MAX_ERRNO of
// linux/err.h).
const maxErrno = 4095

// compileSpec makes the program of a specification's filter (OCI runtime
// specification, config-linux.md, "Seccomp") and gives the flags to install it
// with. It decides only about the calls that the table lets through: the others
// do not pass in any case, and the stricter of two verdicts counts. So names
// that no kernel has, or that only other architectures have, are passed over,
// as by runc; a filter that refuses nothing of the table is no program.
func compileSpec(s *specs.LinuxSeccomp) ([]unix.SockFilter, uintptr, error) {
	if s == nil {
		return nil, 0, nil
	}
	flags, err := specFlags(s)
	if err != nil {
		return nil, 0, err
	}
	base, err := specVerdict(s.DefaultAction, s.DefaultErrnoRet)
	if err != nil {
		return nil, 0, fmt.Errorf("seccomp: the default action: %w", err)
	}
	rules := map[string]*ruleSet{}
	for i, sc := range s.Syscalls {
		if err := addRules(rules, sc); err != nil {
			return nil, 0, fmt.Errorf("seccomp: rule %d (%v): %w", i, sc.Names, err)
		}
	}
	single := make([]step, 0, len(calls))
	refuses := false
	for _, c := range calls {
		r := rules[c.name]
		if r == nil {
			r = &ruleSet{}
		}
		do := r.block(base)
		refuses = refuses || len(do) > 1 || do[0] != ret(allow)
		single = append(single, step{c.nr, do})
	}
	if !refuses {
		return nil, flags, nil
	}
	p, err := assemble(single, allow)
	return p, flags, err
}

// specFlags checks what stands beside the rules.
func specFlags(s *specs.LinuxSeccomp) (flags uintptr, err error) {
	if s.ListenerPath != "" || s.ListenerMetadata != "" {
		return 0, fmt.Errorf("seccomp: a listener (%q) is asked for, which a guest's process has none of: %w", s.ListenerPath, errdefs.ErrNotImplemented)
	}
	for _, f := range s.Flags {
		switch f {
		case specs.LinuxSeccompFlagLog:
			flags |= unix.SECCOMP_FILTER_FLAG_LOG
		case specs.LinuxSeccompFlagSpecAllow:
			flags |= unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
		case "SECCOMP_FILTER_FLAG_TSYNC": // always
		case specs.LinuxSeccompFlagWaitKillableRecv: // is about listeners
		default:
			return 0, fmt.Errorf("seccomp: there is no flag %q: %w", f, errdefs.ErrInvalidArgument)
		}
	}
	for _, a := range s.Architectures {
		// Only the native one passes in any case.
		if !slices.Contains(architectures, a) {
			return 0, fmt.Errorf("seccomp: there is no architecture %q: %w", a, errdefs.ErrInvalidArgument)
		}
	}
	return flags, nil
}

// architectures are the names that a specification may hold.
var architectures = []specs.Arch{
	nativeArch, specs.ArchX86, specs.ArchX86_64, specs.ArchX32, specs.ArchARM, specs.ArchAARCH64,
	specs.ArchMIPS, specs.ArchMIPS64, specs.ArchMIPS64N32, specs.ArchMIPSEL, specs.ArchMIPSEL64, specs.ArchMIPSEL64N32,
	specs.ArchPPC, specs.ArchPPC64, specs.ArchPPC64LE, specs.ArchS390, specs.ArchS390X,
	specs.ArchPARISC, specs.ArchPARISC64, specs.ArchRISCV64,
	"SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB",
}

// specVerdict is the kernel's word for an action.
func specVerdict(a specs.LinuxSeccompAction, errno *uint) (verdict, error) {
	data := uint(unix.EPERM) // runc's, where none is given
	if errno != nil {
		data = *errno
	}
	switch a {
	case specs.ActErrno:
		if data > maxErrno {
			return 0, fmt.Errorf("errnoRet %d: wanted at most %d: %w", data, maxErrno, errdefs.ErrInvalidArgument)
		}
		return answer(unix.Errno(data)), nil
	case specs.ActTrace:
		if data > math.MaxUint16 {
			return 0, fmt.Errorf("errnoRet %d: wanted at most %d: %w", data, math.MaxUint16, errdefs.ErrInvalidArgument)
		}
		return verdict(unix.SECCOMP_RET_TRACE | data), nil
	}
	if errno != nil {
		return 0, fmt.Errorf("errnoRet goes with %s and %s, not with %s: %w", specs.ActErrno, specs.ActTrace, a, errdefs.ErrInvalidArgument)
	}
	switch a {
	case specs.ActAllow:
		return allow, nil
	case specs.ActKill, specs.ActKillThread, specs.ActKillProcess:
		// A guest is one thread among those of its runtime: without it the
		// process would wait for ever.
		return kill, nil
	case specs.ActTrap:
		return verdict(unix.SECCOMP_RET_TRAP), nil
	case specs.ActLog:
		return verdict(unix.SECCOMP_RET_LOG), nil
	case specs.ActNotify:
		return 0, fmt.Errorf("%s asks a listener, which a guest's process has none of: %w", a, errdefs.ErrNotImplemented)
	}
	return 0, fmt.Errorf("there is no action %q: %w", a, errdefs.ErrInvalidArgument)
}
