//go:build linux

package seccomp

import "golang.org/x/sys/unix"

// named is a call by its name.
type named struct {
	name string
	nr   uint32
}

// deadly are the calls that no part of a container process makes and that an
// attacker would. They end the process: whoever makes one has got past the WASI
// host, and an answer would only let him go on looking.
//
// Calls of one architecture alone are in moreDeadly.
var deadly = []struct {
	what  string
	calls []named
}{
	{"Other programs", []named{
		{"execve", unix.SYS_EXECVE},
		{"execveat", unix.SYS_EXECVEAT},
		{"seccomp", unix.SYS_SECCOMP},
	}},
	{"Other processes, their memory and their descriptors", []named{
		{"ptrace", unix.SYS_PTRACE},
		{"process_vm_readv", unix.SYS_PROCESS_VM_READV},
		{"process_vm_writev", unix.SYS_PROCESS_VM_WRITEV},
		{"process_madvise", unix.SYS_PROCESS_MADVISE},
		{"pidfd_getfd", unix.SYS_PIDFD_GETFD},
		{"pidfd_open", unix.SYS_PIDFD_OPEN},
		{"pidfd_send_signal", unix.SYS_PIDFD_SEND_SIGNAL},
		{"kcmp", unix.SYS_KCMP},
		{"move_pages", unix.SYS_MOVE_PAGES},
		{"migrate_pages", unix.SYS_MIGRATE_PAGES},
	}},
	{"Mounts, roots and namespaces", []named{
		{"mount", unix.SYS_MOUNT},
		{"umount2", unix.SYS_UMOUNT2},
		{"pivot_root", unix.SYS_PIVOT_ROOT},
		{"chroot", unix.SYS_CHROOT},
		{"open_tree", unix.SYS_OPEN_TREE},
		{"open_tree_attr", unix.SYS_OPEN_TREE_ATTR},
		{"move_mount", unix.SYS_MOVE_MOUNT},
		{"fsopen", unix.SYS_FSOPEN},
		{"fsconfig", unix.SYS_FSCONFIG},
		{"fsmount", unix.SYS_FSMOUNT},
		{"fspick", unix.SYS_FSPICK},
		{"mount_setattr", unix.SYS_MOUNT_SETATTR},
		{"statmount", unix.SYS_STATMOUNT},
		{"listmount", unix.SYS_LISTMOUNT},
		{"setns", unix.SYS_SETNS},
		{"unshare", unix.SYS_UNSHARE},
	}},
	{"Files without a path", []named{
		{"open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT},
		{"name_to_handle_at", unix.SYS_NAME_TO_HANDLE_AT},
		{"fanotify_init", unix.SYS_FANOTIFY_INIT},
	}},
	{"Parts of the kernel with a history", []named{
		{"bpf", unix.SYS_BPF},
		{"perf_event_open", unix.SYS_PERF_EVENT_OPEN},
		{"userfaultfd", unix.SYS_USERFAULTFD},
		{"io_uring_setup", unix.SYS_IO_URING_SETUP},
		{"io_uring_enter", unix.SYS_IO_URING_ENTER},
		{"io_uring_register", unix.SYS_IO_URING_REGISTER},
		{"add_key", unix.SYS_ADD_KEY},
		{"request_key", unix.SYS_REQUEST_KEY},
		{"keyctl", unix.SYS_KEYCTL},
		{"io_setup", unix.SYS_IO_SETUP},
		{"vmsplice", unix.SYS_VMSPLICE},
		{"lookup_dcookie", unix.SYS_LOOKUP_DCOOKIE},
	}},
	{"The machine", []named{
		{"kexec_load", unix.SYS_KEXEC_LOAD},
		{"kexec_file_load", unix.SYS_KEXEC_FILE_LOAD},
		{"init_module", unix.SYS_INIT_MODULE},
		{"finit_module", unix.SYS_FINIT_MODULE},
		{"delete_module", unix.SYS_DELETE_MODULE},
		{"swapon", unix.SYS_SWAPON},
		{"swapoff", unix.SYS_SWAPOFF},
		{"reboot", unix.SYS_REBOOT},
		{"acct", unix.SYS_ACCT},
		{"quotactl", unix.SYS_QUOTACTL},
		{"quotactl_fd", unix.SYS_QUOTACTL_FD},
		{"syslog", unix.SYS_SYSLOG},
		{"sethostname", unix.SYS_SETHOSTNAME},
		{"setdomainname", unix.SYS_SETDOMAINNAME},
		{"vhangup", unix.SYS_VHANGUP},
		{"settimeofday", unix.SYS_SETTIMEOFDAY},
		{"clock_settime", unix.SYS_CLOCK_SETTIME},
		{"adjtimex", unix.SYS_ADJTIMEX},
		{"clock_adjtime", unix.SYS_CLOCK_ADJTIME},
		{"nfsservctl", unix.SYS_NFSSERVCTL},
	}},
	{"Other users and other rights", []named{
		{"setuid", unix.SYS_SETUID},
		{"setgid", unix.SYS_SETGID},
		{"setreuid", unix.SYS_SETREUID},
		{"setregid", unix.SYS_SETREGID},
		{"setresuid", unix.SYS_SETRESUID},
		{"setresgid", unix.SYS_SETRESGID},
		{"setfsuid", unix.SYS_SETFSUID},
		{"setfsgid", unix.SYS_SETFSGID},
		{"setgroups", unix.SYS_SETGROUPS},
		{"capset", unix.SYS_CAPSET},
		{"personality", unix.SYS_PERSONALITY},
	}},
	{"Executable memory by another door", []named{
		{"remap_file_pages", unix.SYS_REMAP_FILE_PAGES},
		{"shmat", unix.SYS_SHMAT},
	}},
}

// refused are calls that get an answer in place of ENOSYS, since libraries make
// them in good faith and would take ENOSYS for something else.
var refused = []struct {
	named
	errno unix.Errno
}{
	{named{"kill", unix.SYS_KILL}, unix.EPERM},
	{named{"tkill", unix.SYS_TKILL}, unix.EPERM},
	{named{"rt_sigqueueinfo", unix.SYS_RT_SIGQUEUEINFO}, unix.EPERM},
	{named{"rt_tgsigqueueinfo", unix.SYS_RT_TGSIGQUEUEINFO}, unix.EPERM},
	{named{"pkey_mprotect", unix.SYS_PKEY_MPROTECT}, unix.EPERM},
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
