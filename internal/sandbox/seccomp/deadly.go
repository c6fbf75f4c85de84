//go:build linux

package seccomp

import "golang.org/x/sys/unix"

// deadly are the calls that no part of a container process makes and that an
// attacker would. They end the process: whoever makes one has got past the WASI
// host, and an answer would only let him go on looking.
//
// Calls of one architecture alone are in moreDeadly.
var deadly = []uint32{
	// Other programs.
	unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_SECCOMP,
	// Other processes, their memory and their descriptors.
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE,
	unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_KCMP,
	unix.SYS_MOVE_PAGES, unix.SYS_MIGRATE_PAGES,
	// Mounts, roots and namespaces.
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_OPEN_TREE, unix.SYS_OPEN_TREE_ATTR,
	unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK,
	unix.SYS_MOUNT_SETATTR, unix.SYS_STATMOUNT, unix.SYS_LISTMOUNT, unix.SYS_SETNS, unix.SYS_UNSHARE,
	// Files without a path.
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_FANOTIFY_INIT,
	// Parts of the kernel with a history.
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER,
	unix.SYS_IO_URING_REGISTER, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL, unix.SYS_IO_SETUP,
	unix.SYS_VMSPLICE, unix.SYS_LOOKUP_DCOOKIE,
	// The machine.
	unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
	unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_REBOOT, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD,
	unix.SYS_SYSLOG, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_VHANGUP, unix.SYS_SETTIMEOFDAY,
	unix.SYS_CLOCK_SETTIME, unix.SYS_ADJTIMEX, unix.SYS_CLOCK_ADJTIME, unix.SYS_NFSSERVCTL,
	// Other users and other rights.
	unix.SYS_SETUID, unix.SYS_SETGID, unix.SYS_SETREUID, unix.SYS_SETREGID, unix.SYS_SETRESUID, unix.SYS_SETRESGID,
	unix.SYS_SETFSUID, unix.SYS_SETFSGID, unix.SYS_SETGROUPS, unix.SYS_CAPSET, unix.SYS_PERSONALITY,
	// Executable memory by another door.
	unix.SYS_REMAP_FILE_PAGES, unix.SYS_SHMAT,
}

// refused are calls that get an answer in place of ENOSYS, since libraries make
// them in good faith and would take ENOSYS for something else.
var refused = []struct {
	nr    uint32
	errno unix.Errno
}{
	{unix.SYS_KILL, unix.EPERM},
	{unix.SYS_TKILL, unix.EPERM},
	{unix.SYS_RT_SIGQUEUEINFO, unix.EPERM},
	{unix.SYS_RT_TGSIGQUEUEINFO, unix.EPERM},
	{unix.SYS_PKEY_MPROTECT, unix.EPERM},
}

// refusedSockets answer EACCES, as the WASI host does, to a process that has no
// network or may begin no connection.
const refusedSockets = unix.EACCES

// deadlyOptions are those of prctl(2) that end the process: they change what it
// may do or who may look into it. Every other option answers EINVAL, as from a
// kernel that does not know it; the Go runtime then stops naming its memory.
var deadlyOptions = []uint32{
	unix.PR_SET_SECCOMP, unix.PR_SET_DUMPABLE, unix.PR_SET_PTRACER, unix.PR_SET_MM, unix.PR_SET_MDWE,
	unix.PR_CAPBSET_DROP, unix.PR_CAP_AMBIENT, unix.PR_SET_SECUREBITS, unix.PR_SET_KEEPCAPS, unix.PR_SET_PDEATHSIG,
	unix.PR_SET_CHILD_SUBREAPER, unix.PR_SET_SPECULATION_CTRL, unix.PR_SET_SYSCALL_USER_DISPATCH, unix.PR_SET_TSC,
}
