//go:build linux

package seccomp

import "golang.org/x/sys/unix"

// call is a system call that passes.
type call struct {
	name string
	nr   uint32
	in   set
	why  string
	// limits must all hold.
	limits []limit
}

// set is where a call passes: a bit for each kind of process. A profile is the
// sum of some.
type set uint8

const (
	guests   set = 1 << iota // in a container process
	jailed                   // in one that sees no path of the host
	loose                    // in one that does
	sockets                  // in one with a network
	connects                 // in one that may begin connections
	compiler                 // in the compiler's process

	always = guests | compiler
)

// limit is what an argument must be.
type limit struct {
	words string
	arg   int
	// high picks the upper half of the argument in place of the lower one. Where
	// the kernel takes an int or unsigned int, the upper half means nothing.
	high bool
	// mask picks bits; 0 is all of them.
	mask uint32
	// in are the values that pass.
	in []uint32
	// self stands for in: this process's pid.
	self bool
	// errno is the answer otherwise.
	errno unix.Errno
	// only is where the limit holds; 0 is everywhere.
	only set
}

// A negative descriptor is AT_FDCWD, or none at all.
func folder(arg int) limit {
	return limit{words: "below an open folder, not the working directory", arg: arg, mask: 1 << 31, in: []uint32{0}, errno: unix.EACCES}
}

var (
	in0      = []limit{folder(0)}
	in1      = []limit{folder(1)}
	in0and2  = []limit{folder(0), folder(2)}
	noExec   = []limit{{words: "nothing executable", arg: 2, mask: unix.PROT_EXEC, in: []uint32{0}, errno: unix.EPERM, only: guests}}
	toItself = []limit{{words: "to this process alone", arg: 0, self: true, errno: unix.EPERM}}
)

// newNamespaces are clone's flags that make namespaces (clone(2)).
const newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// calls are the system calls that pass: at most 80 of them while a guest runs,
// which a test counts. docs/syscalls.md is made from this table.
var calls = []call{
	// Memory. The guest's own is reserved at the start and made accessible as it
	// grows; the Go runtime and malloc have theirs.
	{"mmap", unix.SYS_MMAP, always, "memory of the runtime, malloc, thread stacks", noExec},
	{"munmap", unix.SYS_MUNMAP, always, "give memory back", nil},
	{"mprotect", unix.SYS_MPROTECT, always, "memory.grow; stacks and their guards", noExec},
	{"madvise", unix.SYS_MADVISE, always, "the garbage collector gives pages back", nil},
	{"brk", unix.SYS_BRK, always, "malloc", nil},

	// Threads and signals.
	{"clone", unix.SYS_CLONE, always, "threads of the Go runtime", []limit{{
		words: "threads of this process, no namespaces", arg: 0, mask: unix.CLONE_THREAD | newNamespaces,
		in: []uint32{unix.CLONE_THREAD}, errno: unix.EPERM}}},
	{"futex", unix.SYS_FUTEX, always, "locks", nil},
	{"rseq", unix.SYS_RSEQ, always, "glibc, in each new thread", nil},
	{"sched_yield", unix.SYS_SCHED_YIELD, always, "spinning locks", nil},
	{"gettid", unix.SYS_GETTID, always, "preemption", nil},
	{"getpid", unix.SYS_GETPID, always, "preemption, names of temporary files", nil},
	{"tgkill", unix.SYS_TGKILL, always, "preemption of goroutines; abort", toItself},
	{"rt_sigaction", unix.SYS_RT_SIGACTION, always, "signal handlers", nil},
	{"rt_sigprocmask", unix.SYS_RT_SIGPROCMASK, always, "signal masks of new threads", nil},
	{"rt_sigreturn", unix.SYS_RT_SIGRETURN, always, "back from a handler, such as that of a trap", nil},
	{"sigaltstack", unix.SYS_SIGALTSTACK, always, "the stack of handlers, in each new thread", nil},
	{"restart_syscall", unix.SYS_RESTART_SYSCALL, always, "go on waiting after a pause", nil},
	{"exit", unix.SYS_EXIT, always, "a thread ends", nil},
	{"exit_group", unix.SYS_EXIT_GROUP, always, "the process ends", nil},

	// Clocks, waiting, random bytes.
	{"clock_gettime", unix.SYS_CLOCK_GETTIME, always, "clocks that the vDSO does not read", nil},
	{"clock_getres", unix.SYS_CLOCK_GETRES, guests, "clock_res_get", nil},
	{"nanosleep", unix.SYS_NANOSLEEP, always, "the runtime's short waits", nil},
	{"ppoll", unix.SYS_PPOLL, guests, "poll_oneoff, blocking reads", nil},
	{"epoll_pwait", unix.SYS_EPOLL_PWAIT, always, "the runtime's timers", nil},
	{"getrandom", unix.SYS_GETRANDOM, always, "random_get, seeds", nil},
	{"geteuid", unix.SYS_GETEUID, guests, "whom copied files belong to", nil},
	{"sched_getaffinity", unix.SYS_SCHED_GETAFFINITY, compiler, "how many threads to compile on", nil},

	// Open files.
	{"read", unix.SYS_READ, always, "the control socket, copies of files", nil},
	{"write", unix.SYS_WRITE, always, "the control socket, wake-ups, messages", nil},
	{"pread64", unix.SYS_PREAD64, compiler, "read the module", nil},
	{"readv", unix.SYS_READV, guests, "fd_read", nil},
	{"writev", unix.SYS_WRITEV, guests, "fd_write", nil},
	{"preadv", unix.SYS_PREADV, guests, "fd_pread", nil},
	{"pwritev", unix.SYS_PWRITEV, guests, "fd_pwrite", nil},
	{"pwrite64", unix.SYS_PWRITE64, guests, "fill a default file", nil},
	{"lseek", unix.SYS_LSEEK, guests, "fd_seek, fd_tell", nil},
	{"close", unix.SYS_CLOSE, always, "fd_close", nil},
	{"fstat", unix.SYS_FSTAT, always, "fd_filestat_get", nil},
	{"fstatfs", unix.SYS_FSTATFS, guests, "refuse procfs and its like", nil},
	{"ftruncate", unix.SYS_FTRUNCATE, guests, "fd_filestat_set_size", nil},
	{"fallocate", unix.SYS_FALLOCATE, guests, "fd_allocate", nil},
	{"fadvise64", unix.SYS_FADVISE64, guests, "fd_advise", nil},
	{"fsync", unix.SYS_FSYNC, guests, "fd_sync", nil},
	{"fdatasync", unix.SYS_FDATASYNC, guests, "fd_datasync", nil},
	{"getdents64", unix.SYS_GETDENTS64, guests, "fd_readdir", nil},
	{"dup3", unix.SYS_DUP3, guests, "fd_renumber, a file that is copied up while open", nil},
	{"copy_file_range", unix.SYS_COPY_FILE_RANGE, guests, "copy a file up", nil},
	{"fcntl", unix.SYS_FCNTL, always, "flags and duplicates of descriptors", []limit{{
		words: "F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_ADD_SEALS", arg: 1,
		in: []uint32{unix.F_GETFD, unix.F_SETFD, unix.F_GETFL, unix.F_SETFL, unix.F_DUPFD_CLOEXEC, unix.F_ADD_SEALS}, errno: unix.EPERM}}},
	{"ioctl", unix.SYS_IOCTL, guests, "is it a terminal; how much waits; share blocks", []limit{{
		words: "TCGETS, FIONREAD, FICLONE", arg: 1,
		in: []uint32{unix.TCGETS, unix.TIOCINQ, unix.FICLONE}, errno: unix.EPERM}}},
	{"memfd_create", unix.SYS_MEMFD_CREATE, guests, "the content of a default file", []limit{{
		words: "MFD_CLOEXEC, MFD_ALLOW_SEALING, MFD_NOEXEC_SEAL", arg: 1,
		mask: ^uint32(unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING | unix.MFD_NOEXEC_SEAL), in: []uint32{0}, errno: unix.EPERM}}},
	{"fchmod", unix.SYS_FCHMOD, guests, "modes, before Linux 6.6 and without a jail", nil},

	// Paths, each relative to a folder that is open.
	{"openat", unix.SYS_OPENAT, guests, "path_open, a step of a walk", in0},
	{"openat2", unix.SYS_OPENAT2, guests, "path_open", in0},
	{"newfstatat", unix.SYS_NEWFSTATAT, guests, "path_filestat_get, a step of a walk", in0},
	{"readlinkat", unix.SYS_READLINKAT, guests, "path_readlink, a step of a walk", in0},
	{"mkdirat", unix.SYS_MKDIRAT, guests, "path_create_directory", in0},
	{"unlinkat", unix.SYS_UNLINKAT, guests, "path_unlink_file, path_remove_directory", in0},
	{"symlinkat", unix.SYS_SYMLINKAT, guests, "path_symlink", in1},
	{"linkat", unix.SYS_LINKAT, guests, "path_link", in0and2},
	{"renameat2", unix.SYS_RENAMEAT2, guests, "path_rename", in0and2},
	{"mknodat", unix.SYS_MKNODAT, guests, "copy a FIFO up", []limit{folder(0), {
		words: "FIFOs", arg: 2, mask: unix.S_IFMT, in: []uint32{unix.S_IFIFO}, errno: unix.EPERM}}},
	{"fchmodat", unix.SYS_FCHMODAT, jailed, "modes of copies", in0},
	{"fchmodat2", unix.SYS_FCHMODAT2, jailed, "modes of copies", in0},
	{"fchownat", unix.SYS_FCHOWNAT, jailed, "owners of copies", in0},
	{"utimensat", unix.SYS_UTIMENSAT, guests, "path_filestat_set_times", []limit{folder(0),
		{words: "without a jail: no path", arg: 1, in: []uint32{0}, errno: unix.EPERM, only: loose},
		{arg: 1, high: true, in: []uint32{0}, errno: unix.EPERM, only: loose}}},

	// Sockets.
	{"socket", unix.SYS_SOCKET, sockets, "sock_open, questions to name servers", []limit{
		{words: "AF_INET, AF_INET6", arg: 0, in: []uint32{unix.AF_INET, unix.AF_INET6}, errno: unix.EACCES},
		{words: "streams and datagrams", arg: 1, mask: 0xf, in: []uint32{unix.SOCK_STREAM, unix.SOCK_DGRAM}, errno: unix.EACCES},
		{words: "TCP and UDP", arg: 2, in: []uint32{0, unix.IPPROTO_TCP, unix.IPPROTO_UDP}, errno: unix.EACCES}}},
	{"socketpair", unix.SYS_SOCKETPAIR, sockets, "a connection of a guest with itself", []limit{
		{words: "AF_UNIX", arg: 0, in: []uint32{unix.AF_UNIX}, errno: unix.EACCES}}},
	{"bind", unix.SYS_BIND, sockets, "sock_bind", nil},
	{"listen", unix.SYS_LISTEN, sockets, "sock_listen", nil},
	{"accept4", unix.SYS_ACCEPT4, sockets, "sock_accept", nil},
	{"connect", unix.SYS_CONNECT, connects, "sock_connect", nil},
	{"sendmsg", unix.SYS_SENDMSG, sockets, "sock_send, sock_send_to", nil},
	{"recvmsg", unix.SYS_RECVMSG, sockets, "sock_recv, sock_recv_from", nil},
	{"sendto", unix.SYS_SENDTO, sockets, "ask the kernel where an address leads", nil},
	{"recvfrom", unix.SYS_RECVFROM, sockets, "its answer", nil},
	{"shutdown", unix.SYS_SHUTDOWN, sockets, "sock_shutdown", nil},
	{"getsockname", unix.SYS_GETSOCKNAME, sockets, "sock_getlocaladdr", nil},
	{"getpeername", unix.SYS_GETPEERNAME, sockets, "sock_getpeeraddr", nil},
	{"getsockopt", unix.SYS_GETSOCKOPT, sockets, "sock_getsockopt", nil},
	{"setsockopt", unix.SYS_SETSOCKOPT, sockets, "sock_setsockopt", nil},
}
