//go:build linux && wherryprobe

package guest

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pointer gives the address of a text that stays where it is.
func pointer(s string) uintptr {
	b := append([]byte(s), 0)
	kept = append(kept, b)
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))
}

var kept [][]byte

// reach tries all that should be refused.
func (p probe) reach() {
	p.paths()
	p.climbing()
	p.changes()
	p.code()
	p.processes()
	p.network()
	for name, nr := range map[string]uintptr{"setxattr": unix.SYS_SETXATTR, "inotify_init1": unix.SYS_INOTIFY_INIT1, "clone3": unix.SYS_CLONE3} {
		p.say(name, raw(nr))
	}
	p.say("type into the terminal", raw(unix.SYS_IOCTL, 0, unix.TIOCSTI, pointer("x")))
	p.say("device node", p.everywhere(func(dir int) error {
		return unix.Mknodat(dir, "probe-device", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 1)))
	}))
}

// folders are all open folders, and the working directory.
func folders() []int {
	list := []int{unix.AT_FDCWD}
	for fd := range 1024 {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			list = append(list, fd)
		}
	}
	return list
}

// everywhere tries something on all open folders. It gives the first success, or
// else the last error.
func (probe) everywhere(try func(dir int) error) (last error) {
	for _, dir := range folders() {
		if last = try(dir); last == nil {
			return nil
		}
	}
	return last
}

// open opens a path in each way that there is.
func open(dir int, path string, flags int) error {
	fd, err := unix.Openat(dir, path, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		fd, err = unix.Openat2(dir, path, &unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC)})
	}
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// paths tries files that only the host has.
func (p probe) paths() {
	for _, path := range []string{
		p.file, "/etc/shadow", "/proc/1/root" + p.file, "/proc/self/root" + p.file, "/proc/1/environ", "/proc/self/mem", "/proc/kcore",
		"/sys/kernel", "/dev/mem", "/dev/kmsg", "/run", "/usr/bin/env", "/root",
	} {
		for how, flags := range map[string]int{"read": unix.O_RDONLY, "look at": unix.O_PATH} {
			p.say(how+" "+path, p.everywhere(func(dir int) error { return open(dir, path, flags) }))
		}
	}
	p.say("stat "+p.file, p.everywhere(func(dir int) error {
		var st unix.Stat_t
		return unix.Fstatat(dir, p.file, &st, 0)
	}))
}

// climbing goes up from every open folder and looks there for the file.
func (p probe) climbing() {
	relative := strings.TrimPrefix(p.file, "/")
	p.say("climb at one blow", p.everywhere(func(dir int) error {
		return open(dir, strings.Repeat("../", 40)+relative, unix.O_RDONLY)
	}))
	p.say("climb step by step", p.everywhere(func(dir int) error {
		at := dir
		var last error = unix.ENOENT
		for range 40 {
			up, err := unix.Openat(at, "..", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(up)
			if last = open(up, relative, unix.O_RDONLY); last == nil {
				return nil
			}
			at = up
		}
		return last
	}))
}

// changes tries to change the file without opening it.
func (p probe) changes() {
	for name, try := range map[string]func(dir int) error{
		"chmod":  func(dir int) error { return raw(unix.SYS_FCHMODAT, uintptr(dir), pointer(p.file), 0o777) },
		"chmod2": func(dir int) error { return raw(unix.SYS_FCHMODAT2, uintptr(dir), pointer(p.file), 0o777) },
		"chown":  func(dir int) error { return unix.Fchownat(dir, p.file, unix.Getuid(), -1, 0) },
		"utimes": func(dir int) error { return unix.UtimesNanoAt(dir, p.file, make([]unix.Timespec, 2), 0) },
		"unlink": func(dir int) error { return unix.Unlinkat(dir, p.file, 0) },
		"rename": func(dir int) error { return unix.Renameat2(dir, p.file, dir, p.file+"x", 0) },
		"link":   func(dir int) error { return unix.Linkat(dir, p.file, dir, "probe-link", 0) },
		"mkdir":  func(dir int) error { return unix.Mkdirat(dir, p.file+".d", 0o700) },
		"write":  func(dir int) error { return open(dir, p.file, unix.O_WRONLY) },
	} {
		p.say(name+" "+p.file, p.everywhere(try))
	}
}

// code tries to get new code to run.
func (p probe) code() {
	const size = 4096
	anonymous := unix.MAP_PRIVATE | unix.MAP_ANON
	_, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, anonymous)
	p.say("executable memory", err)
	m, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, anonymous)
	if err == nil {
		err = unix.Mprotect(m, unix.PROT_READ|unix.PROT_EXEC)
	}
	p.say("memory made executable", err)
	fd, err := unix.MemfdCreate("code", unix.MFD_CLOEXEC)
	if err == nil {
		if err = unix.Ftruncate(fd, size); err == nil {
			_, err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_SHARED)
		}
	}
	p.say("code from a file", err)
	_, err = unix.MemfdCreate("code", unix.MFD_EXEC)
	p.say("executable memfd", err)
	p.say("more executable by a key", raw(unix.SYS_PKEY_MPROTECT, uintptr(unsafe.Pointer(&m[0])), size, unix.PROT_EXEC, ^uintptr(0)))
}

// processes tries to reach others, or to make some.
func (p probe) processes() {
	pid, err := strconv.Atoi(p.other)
	if err != nil {
		panic(fmt.Sprintf("WHERRY_PROBE_PID: %v", err))
	}
	for name, to := range map[string]int{"the test": pid, "its parent": unix.Getppid(), "init": 1, "all": -1, "itself": unix.Getpid()} {
		p.say("kill "+name, unix.Kill(to, 0))
	}
	p.say("tgkill the test", unix.Tgkill(pid, pid, 0))
	p.say("fork", raw(unix.SYS_CLONE, uintptr(unix.SIGCHLD)))
	p.say("thread in a namespace", raw(unix.SYS_CLONE, unix.CLONE_THREAD|unix.CLONE_SIGHAND|unix.CLONE_VM|unix.CLONE_NEWUSER))
	p.say("prctl", unix.Prctl(unix.PR_SET_NAME, pointer("x"), 0, 0, 0))
}

// network tries sockets of which none passes, and the host's loopback where
// there is no network.
func (p probe) network() {
	for name, args := range map[string][]uintptr{
		"raw socket": {unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP}, "packet socket": {unix.AF_PACKET, unix.SOCK_RAW, 0},
		"unix socket": {unix.AF_UNIX, unix.SOCK_STREAM, 0}, "netlink socket": {unix.AF_NETLINK, unix.SOCK_RAW, 0},
		"vsock": {unix.AF_VSOCK, unix.SOCK_STREAM, 0}, "key socket": {unix.AF_KEY, unix.SOCK_RAW, 2}, "alg socket": {unix.AF_ALG, unix.SOCK_SEQPACKET, 0},
	} {
		p.say(name, raw(unix.SYS_SOCKET, args...))
	}
	port, err := strconv.Atoi(p.port)
	if err != nil {
		panic(fmt.Sprintf("WHERRY_PROBE_PORT: %v", err))
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	}
	p.say("connect to the host's loopback", err)
	_, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	p.say("socket pair", err)
}
