//go:build linux

package wall

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// names sets what belongs to the process's own namespaces: its host's name, the
// loopback and sysctls.
func (b *builder) names() error {
	for _, n := range []struct {
		what, name, call string
		number           uintptr
	}{
		{"host name", b.spec.Hostname, "sethostname", unix.SYS_SETHOSTNAME},
		{"domain name", b.spec.Domainname, "setdomainname", unix.SYS_SETDOMAINNAME},
	} {
		if n.name == "" {
			continue
		}
		if !b.own(specs.UTSNamespace) {
			return fmt.Errorf("the specification gives the %s %q, but no uts namespace for it: %w", n.what, n.name, errdefs.ErrInvalidArgument)
		}
		b.call(n.call, n.number, "set the "+n.what, str(n.name), num(len(n.name)))
	}
	if b.opts.Loopback {
		b.loopback()
	}
	return b.sysctls()
}

// loopback brings lo up (netdevice(7)).
func (b *builder) loopback() {
	const what = "bring the loopback up"
	var request [40]byte // struct ifreq: a name of 16 bytes, the flags
	copy(request[:], "lo")
	binary.NativeEndian.PutUint16(request[unix.IFNAMSIZ:], unix.IFF_UP)
	b.call("socket", unix.SYS_SOCKET, what, num(unix.AF_INET), num(unix.SOCK_DGRAM|unix.SOCK_CLOEXEC), num(0))
	fd := b.result()
	b.call("ioctl", unix.SYS_IOCTL, what, reg(fd), num(unix.SIOCSIFFLAGS), blob(request[:]))
	b.close(fd)
}

// ipcSysctls are those of an ipc namespace (namespaces(7)).
var ipcSysctls = []string{
	"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
	"kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
}

// sysctls sets those of the specification. One that belongs to no namespace of
// the process would be the host's.
func (b *builder) sysctls() error {
	if b.spec.Linux == nil {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(b.spec.Linux.Sysctl)) {
		name := key
		if dot, slash := strings.IndexByte(key, '.'), strings.IndexByte(key, '/'); slash >= 0 && (dot < 0 || slash < dot) {
			// With slashes, dots belong to names (sysctl.d(5)).
			name = strings.NewReplacer("/", ".", ".", "/").Replace(key)
		}
		path := "/proc/sys/" + strings.NewReplacer(".", "/", "/", ".").Replace(name)
		if strings.Contains(path, "//") || strings.Contains(path, "/../") || strings.HasSuffix(path, "/") {
			return fmt.Errorf("%q is no name of a sysctl: %w", key, errdefs.ErrInvalidArgument)
		}
		var of specs.LinuxNamespaceType
		switch {
		case slices.Contains(ipcSysctls, name), strings.HasPrefix(name, "fs.mqueue."):
			of = specs.IPCNamespace
		case strings.HasPrefix(name, "net."):
			of = specs.NetworkNamespace
		case name == "kernel.domainname":
			of = specs.UTSNamespace
		default:
			return fmt.Errorf("the sysctl %s belongs to no namespace: it is the host's to set: %w", key, errdefs.ErrInvalidArgument)
		}
		if !b.own(of) {
			return fmt.Errorf("the sysctl %s belongs to the %s namespace, and the container has none of its own: %w", key, of, errdefs.ErrInvalidArgument)
		}
		b.write(path, b.spec.Linux.Sysctl[key], "set the sysctl "+key)
	}
	return nil
}

// oomScore sets how soon the kernel ends the process for lack of memory. To
// lower it takes a privilege, which users are not failed for.
func (b *builder) oomScore() {
	if p := b.spec.Process; p != nil && p.OOMScoreAdj != nil {
		first := len(b.plan.Steps)
		b.write("/proc/self/oom_score_adj", strconv.Itoa(*p.OOMScoreAdj), "set the oom score to "+strconv.Itoa(*p.OOMScoreAdj))
		if !b.host.Privileged {
			b.optional(first)
		}
	}
}

// resources are the names of limits in a specification (setrlimit(2)).
var resources = map[string]int{
	"RLIMIT_CPU": unix.RLIMIT_CPU, "RLIMIT_FSIZE": unix.RLIMIT_FSIZE,
	"RLIMIT_CORE": unix.RLIMIT_CORE, "RLIMIT_NOFILE": unix.RLIMIT_NOFILE,
	"RLIMIT_NPROC": unix.RLIMIT_NPROC, "RLIMIT_AS": unix.RLIMIT_AS,
	"RLIMIT_DATA": unix.RLIMIT_DATA, "RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK,
	"RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING, "RLIMIT_MSGQUEUE": unix.RLIMIT_MSGQUEUE,
	"RLIMIT_NICE": unix.RLIMIT_NICE, "RLIMIT_RTPRIO": unix.RLIMIT_RTPRIO,
	"RLIMIT_RTTIME": unix.RLIMIT_RTTIME, "RLIMIT_LOCKS": unix.RLIMIT_LOCKS,
	"RLIMIT_RSS": unix.RLIMIT_RSS,
}

// rlimits sets the limits of the specification. The stack's size is the
// engine's affair and stays as it is; a core would hold the guest's secrets,
// and is written only where one is asked for.
func (b *builder) rlimits() error {
	list := []specs.POSIXRlimit{{Type: "RLIMIT_CORE"}}
	if b.spec.Process != nil {
		list = append(list, b.spec.Process.Rlimits...)
	}
	for _, l := range list {
		name := strings.ToUpper(l.Type)
		if name == "RLIMIT_STACK" {
			continue
		}
		which, ok := resources[name]
		if !ok {
			return fmt.Errorf("there is no limit %s: %w", l.Type, errdefs.ErrInvalidArgument)
		}
		pair := binary.NativeEndian.AppendUint64(nil, l.Soft)
		pair = binary.NativeEndian.AppendUint64(pair, l.Hard)
		b.call("prlimit64", unix.SYS_PRLIMIT64, fmt.Sprintf("set %s to %s:%s", name, limit(l.Soft), limit(l.Hard)), num(0), num(which), blob(pair), null)
	}
	return nil
}

func limit(n uint64) string {
	if n == unix.RLIM_INFINITY {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}
