//go:build linux

package wall

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// pause makes the process rest. Where it is the first one of its namespace of
// processes, others' orphans become its children: the kernel drops them without
// it, since it says that it does not want to know of them (sigaction(2)).
func (b *builder) pause() {
	// struct kernel_sigaction begins with the handler; all else stays empty, on
	// every 64-bit machine. The set of signals, at its end, has 8 bytes.
	var ignore [40]byte
	binary.NativeEndian.PutUint64(ignore[:], 1) // SIG_IGN
	b.call("rt_sigaction", unix.SYS_RT_SIGACTION, "leave orphans to the kernel", num(unix.SIGCHLD), blob(ignore[:]), null, num(8))
	if b.host.CanFork {
		// A process with one thread, which from here on reads. A kernel that an
		// emulator plays has no seccomp.
		b.call("prctl", unix.SYS_PRCTL, "give up all system calls but reading", num(unix.PR_SET_SECCOMP), num(unix.SECCOMP_MODE_STRICT)).Optional = true
	}
	b.plan.Steps = append(b.plan.Steps, Step{Op: Rest, Name: "rest", What: "wait for the pod's end"})
}
