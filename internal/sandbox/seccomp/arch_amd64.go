//go:build linux

package seccomp

import "golang.org/x/sys/unix"

// auditArch names the architecture that system calls are made for.
const auditArch = unix.AUDIT_ARCH_X86_64

// foreign is the first number of another numbering under the same
// architecture: x32's bit (__X32_SYSCALL_BIT of asm/unistd.h).
const foreign = 0x40000000

// nativeArch is the architecture's name in an OCI specification.
const nativeArch = "SCMP_ARCH_X86_64"

var moreDeadly = []uint32{
	unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_MODIFY_LDT, unix.SYS_USELIB, unix.SYS_FORK, unix.SYS_VFORK,
	unix.SYS_UPROBE, unix.SYS_URETPROBE,
}
