//go:build linux

package seccomp

import "golang.org/x/sys/unix"

// auditArch names the architecture that system calls are made for.
const auditArch = unix.AUDIT_ARCH_RISCV64

// foreign is the first number of another numbering under the same
// architecture; there is none here.
const foreign = 0

// nativeArch is the architecture's name in an OCI specification.
const nativeArch = "SCMP_ARCH_RISCV64"

var moreDeadly []named
