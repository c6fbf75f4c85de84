//go:build linux

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"wherry/internal/guest"
	"wherry/internal/sandbox/enter"
	"wherry/internal/sandbox/wall"
	"wherry/internal/testutil/kernel"
)

// status reads lines of a process's status.
func status(t testing.TB, pid int) map[string]string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		lines[key] = strings.Join(strings.Fields(value), " ")
	}
	return lines
}

func TestWalls(t *testing.T) {
	asUser(t)
	r := newRoom(t)
	r.Config.Files.Mounts = append(r.Config.Files.Mounts, mountOf(filepath.Join(r.dir, "mount")))
	before, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	s, v := r.enter(t)

	if len(v.Names) > 0 && host().Landlock > 0 {
		t.Errorf("landlock lets it list its root: %v", v.Names)
	}
	for what, want := range map[string]string{
		"write /": "EACCES", "write /image": "EACCES", "write /upper": "", "write /mounts/0": "EROFS",
		"write /mounts/0/below": "EROFS", "write /dev": "EACCES", "write null": "",
		"read /proc": "ENOENT", "mount": "EPERM", "unshare": "EPERM",
		"map code of the image": "EPERM", "map the code": "",
	} {
		got := v.Tried[what]
		if got == "EROFS" && want == "EACCES" || got == "EACCES" && want == "EROFS" {
			continue // landlock or the mount, whichever the kernel asks first
		}
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	if v.PID != 1 || v.UID != 0 {
		t.Errorf("it is process %d of user %d, want 1 of 0", v.PID, v.UID)
	}

	pid := s.child.PID()
	lines := status(t, pid)
	uid := fmt.Sprint(os.Geteuid())
	for key, want := range map[string]string{
		"Name": guestName, "NoNewPrivs": "1", "Uid": strings.Join([]string{uid, uid, uid, uid}, " "),
		"CapEff": "000000000000041b", "CapPrm": "000000000000041b", "CapBnd": "000000000000041b", "CapInh": "0000000000000000", "CapAmb": "0000000000000000",
		"Umask": "0022",
	} {
		if lines[key] != want {
			t.Errorf("%s is %q, want %q", key, lines[key], want)
		}
	}
	for _, kind := range []string{"mnt", "ipc", "uts", "pid", "net"} {
		if kernel.Namespace(t, pid, kind) == kernel.Namespace(t, os.Getpid(), kind) {
			t.Errorf("its %s namespace is the host's", kind)
		}
	}
	if own := kernel.Namespace(t, pid, "user") != kernel.Namespace(t, os.Getpid(), "user"); own != (os.Geteuid() != 0) {
		t.Errorf("it has a user namespace of its own: %v", own)
	}

	s.Discard()
	if err := unix.Kill(pid, 0); err != unix.ESRCH {
		t.Errorf("the process is left: %v", err)
	}
	after, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || string(after) != string(before) {
		t.Errorf("mounts are left: %v\n%s", err, after)
	}
	if err := os.Remove(r.Jail); err != nil {
		t.Errorf("the jail's folder is not empty: %v", err)
	}
}

// on has walls built for another kernel than this one.
func on(t *testing.T, change func(*wall.Host)) {
	had, h := host, host()
	change(&h)
	host = func() wall.Host { return h }
	t.Cleanup(func() { host = had })
}

// What landlock keeps from being listed is not the host's either, also where
// the kernel is an old one, or has no other root than its first.
func TestJailHoldsNothingElse(t *testing.T) {
	asUser(t)
	for name, change := range map[string]func(*wall.Host){
		"new":       func(*wall.Host) {},
		"old":       func(h *wall.Host) { h.MountSetattr = false },
		"initramfs": func(h *wall.Host) { h.Initramfs = true },
	} {
		t.Run(name, func(t *testing.T) {
			on(t, change)
			on(t, func(h *wall.Host) { h.Landlock = 0 })
			r := newRoom(t)
			r.Config.Files.Mounts = append(r.Config.Files.Mounts, mountOf(filepath.Join(r.dir, "mount")))
			_, v := r.enter(t)
			want := []string{"/code", "/dev", "/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero",
				"/image", "/image/library", "/mounts", "/mounts/0", "/mounts/0/below", "/upper", "/upper/written"}
			if !slices.Equal(v.Names, want) || !v.Same {
				t.Errorf("it sees %v, want %v; the root is the root: %v", v.Names, want, v.Same)
			}
			for what, want := range map[string]string{
				"write /": "EROFS", "write /image": "EROFS", "write /mounts/0": "EROFS", "write /mounts/0/below": "EROFS",
				"map code of the image": "EPERM", "map the code": "",
			} {
				if v.Tried[what] != want {
					t.Errorf("%s: %q, want %q", what, v.Tried[what], want)
				}
			}
		})
	}
}

// A bind that is read-only is so below too, and what steers the kernel is
// covered there.
func TestMountsBelow(t *testing.T) {
	kernel.NeedRoot(t)
	r := newRoom(t)
	dir := filepath.Join(r.dir, "mount")
	kernel := filepath.Join(dir, "kernel")
	if err := os.Mkdir(kernel, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct{ kind, at string }{{"tmpfs", filepath.Join(dir, "below")}, {"proc", kernel}} {
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(m.at, 0); err != nil {
				t.Error(err)
			}
		})
	}
	for _, old := range []bool{false, true} {
		for _, readOnly := range []bool{true, false} {
			on(t, func(h *wall.Host) { h.MountSetattr = h.MountSetattr && !old })
			m := mountOf(dir)
			m.ReadOnly = readOnly
			r.Config.Files.Mounts = append(r.Config.Files.Mounts[:0], m)
			_, v := r.enter(t)
			written := v.Tried["write /mounts/0/below"]
			if readOnly != (written == "EROFS" || written == "EACCES") {
				t.Errorf("read-only %v: writing below gave %q", readOnly, written)
			}
			if v.Tried["read procfs"] == "" || slices.Contains(v.Names, "/mounts/0/kernel/version") {
				t.Errorf("the kernel's files are there: %v", v.Names)
			}
		}
	}
}

// The user that a specification names is honoured, with no more than an exec
// would leave it.
func TestUser(t *testing.T) {
	kernel.NeedRoot(t)
	r := newRoom(t)
	umask := uint32(0o27)
	r.Spec.Process.User = specs.User{UID: 4711, GID: 4712, AdditionalGids: []uint32{4713, 4714}, Umask: &umask}
	r.Spec.Process.Capabilities.Ambient = []string{"CAP_NET_BIND_SERVICE", "CAP_SYS_ADMIN"}
	s, v := r.enter(t)
	lines := status(t, s.child.PID())
	for key, want := range map[string]string{
		"Uid": "4711 4711 4711 4711", "Gid": "4712 4712 4712 4712", "Groups": "4713 4714",
		"CapEff": "0000000000000400", "Umask": "0027",
	} {
		if lines[key] != want {
			t.Errorf("%s is %q, want %q", key, lines[key], want)
		}
	}
	if v.Tried["become root"] != "EPERM" {
		t.Errorf("it may become root: %q", v.Tried["become root"])
	}
}

// Existing namespaces are joined by their paths.
func TestJoin(t *testing.T) {
	kernel.NeedRoot(t)
	kinds := map[string]specs.LinuxNamespaceType{
		"net": specs.NetworkNamespace, "ipc": specs.IPCNamespace, "uts": specs.UTSNamespace, "pid": specs.PIDNamespace,
	}
	other := newRoom(t)
	s, _ := other.enter(t)
	pid := s.child.PID()
	r := newRoom(t)
	r.Spec.Hostname = ""
	r.Spec.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.MountNamespace}}
	for name, kind := range kinds {
		r.Spec.Linux.Namespaces = append(r.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: kind, Path: fmt.Sprintf("/proc/%d/ns/%s", pid, name)})
	}
	joined, v := r.enter(t)
	for name := range kinds {
		if got, want := kernel.Namespace(t, joined.child.PID(), name), kernel.Namespace(t, pid, name); got != want {
			t.Errorf("its %s namespace is %s, want %s", name, got, want)
		}
	}
	if v.PID < 2 {
		t.Errorf("it is process %d of a namespace that has one", v.PID)
	}
}

// A user namespace with mappings, and one joined by its path.
func TestUserNamespace(t *testing.T) {
	kernel.NeedRoot(t)
	r := newRoom(t)
	r.Spec.Hostname = ""
	r.Spec.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.MountNamespace}, {Type: specs.UserNamespace}, {Type: specs.PIDNamespace}}
	r.Spec.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 1000}}
	r.Spec.Linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 200000, Size: 1000}}
	r.Spec.Process.User = specs.User{UID: 7, GID: 8}
	if !enter.CanFork {
		if _, err := Enclose(r.Enclosure); err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
			t.Errorf("got %v, want a refusal", err)
		}
		return
	}
	s, _ := r.enter(t)
	check := func(pid int) {
		t.Helper()
		lines := status(t, pid)
		if lines["Uid"] != "100007 100007 100007 100007" || lines["Gid"] != "200008 200008 200008 200008" {
			t.Errorf("its ids are %q, %q", lines["Uid"], lines["Gid"])
		}
	}
	check(s.child.PID())
	path := fmt.Sprintf("/proc/%d/ns/user", s.child.PID())
	r = newRoom(t)
	r.Spec.Process.User = specs.User{UID: 7, GID: 8}
	r.Spec.Linux.Namespaces = append(r.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace, Path: path})
	joined, _ := r.enter(t)
	check(joined.child.PID())
	if got, want := kernel.Namespace(t, joined.child.PID(), "user"), kernel.Namespace(t, s.child.PID(), "user"); got != want {
		t.Errorf("its user namespace is %s, want %s", got, want)
	}
}

// Every wall that cannot be built says so in words, and nothing is left.
func TestWallsThatFail(t *testing.T) {
	asUser(t)
	module, compiled := compileSilent(t)
	for name, c := range map[string]struct {
		change func(*room)
		words  string
		root   bool // only root gets that far
	}{
		"jail":      {change: func(r *room) { r.Jail += "/nowhere" }, words: "cannot mount the container's root on "},
		"bind":      {change: func(r *room) { r.Config.Files.Root += "/nowhere" }, words: "/image/nowhere: no such file or directory"},
		"namespace": {change: func(r *room) { r.Spec.Linux.Namespaces[4].Path = "/nowhere" }, words: "cannot join the network namespace /nowhere: no such file", root: true},
		"kind": {change: func(r *room) {
			r.Spec.Linux.Namespaces[4].Path = fmt.Sprintf("/proc/%d/ns/ipc", os.Getpid())
		}, words: "cannot join the network namespace /proc/", root: true},
		"sysctl": {change: func(r *room) { r.Spec.Linux.Sysctl = map[string]string{"net.nowhere": "1"} }, words: "cannot set the sysctl net.nowhere: no such file"},
		"rlimit": {change: func(r *room) {
			r.Spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 2, Hard: 1}}
		}, words: "cannot set RLIMIT_NOFILE to 2:1: invalid argument"},
		"oom":  {change: func(r *room) { n := 2000; r.Spec.Process.OOMScoreAdj = &n }, words: "cannot set the oom score to 2000: invalid argument", root: true},
		"name": {change: func(r *room) { r.Spec.Hostname = strings.Repeat("x", 65) }, words: "cannot set the host name: "},
	} {
		if c.root && os.Geteuid() != 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			c.change(r)
			walls, err := Enclose(r.Enclosure)
			if err != nil {
				t.Fatal(err)
			}
			cmd := command(t, "", module, compiled)
			cmd.Walls = walls[:1]
			_, err = Start(t.Context(), cmd)
			var not *wall.Error
			if err == nil || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), "\n") || !errors.As(err, &not) {
				t.Errorf("got %v, want %q", err, c.words)
			}
			if err := os.RemoveAll(r.dir); err != nil {
				t.Errorf("something is left: %v", err)
			}
		})
	}
}

// Where the best walls cannot be had, lesser ones hold.
func TestLesserWalls(t *testing.T) {
	asUser(t)
	module, compiled := compileSilent(t)
	h := host()
	h.Privileged = false
	none, err := wall.New(&specs.Spec{}, h, wall.Options{Name: guestName, Jail: wall.Jail{Dir: "/nowhere/at/all"}})
	if err != nil {
		t.Fatal(err)
	}
	r := newRoom(t)
	j := jail{e: &r.Enclosure, cfg: r.Config}
	if err := j.fill(); err != nil {
		t.Fatal(err)
	}
	lesser, err := wall.New(r.Spec, h, wall.Options{Name: guestName, Lesser: true, Jail: wall.Jail{Binds: append(j.binds, wall.Bind{Source: compiled, Target: compiled, File: true})}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "", module, compiled)
	cfg := cmd.Config
	cfg.CodePath = compiled
	cmd.Walls = []Walls{{Plan: none, Config: cfg}, {Plan: lesser, Config: cfg}}
	p, err := Start(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	lines := status(t, p.PID())
	if lines["NoNewPrivs"] != "1" || strings.Trim(lines["CapEff"], "0") != "" && os.Geteuid() != 0 {
		t.Errorf("status = %v", lines)
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	if res := p.Result(); res != (guest.Result{}) {
		t.Errorf("result = %+v", res)
	}
}

// A process that hangs while it builds its walls ends with whoever waits.
func TestHangingWall(t *testing.T) {
	kernel.NeedRoot(t)
	r := newRoom(t)
	fifo := filepath.Join(r.dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if !enter.CanFork {
		// There, this process itself joins the namespace, and would hang.
		r.Spec.Linux.Sysctl = nil
		return
	}
	r.Spec.Linux.Namespaces[4].Path = fifo
	walls, err := Enclose(r.Enclosure)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Prepare("x")
	if err != nil {
		t.Fatal(err)
	}
	pid := s.child.PID()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Start(ctx, Command{Name: "x", Standby: s, Walls: walls})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := unix.Kill(pid, 0); err != unix.ESRCH {
		t.Errorf("the process is left: %v", err)
	}
}
