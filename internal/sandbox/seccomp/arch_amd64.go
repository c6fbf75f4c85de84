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

var moreDeadly = []named{
	{"iopl", unix.SYS_IOPL},
	{"ioperm", unix.SYS_IOPERM},
	{"modify_ldt", unix.SYS_MODIFY_LDT},
	{"uselib", unix.SYS_USELIB},
	{"fork", unix.SYS_FORK},
	{"vfork", unix.SYS_VFORK},
	{"uprobe", unix.SYS_UPROBE},
	{"uretprobe", unix.SYS_URETPROBE},
}
