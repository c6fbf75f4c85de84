//go:build linux

package shim_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"wherry/internal/shim/bundle"
	"wherry/internal/testutil/kernel"
)

// statusOf reads a line of a process's status.
func statusOf(t *testing.T, pid int, key string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	t.Fatalf("status has no %s", key)
	return ""
}

// Under containerd the specification's namespaces are joined and its user is
// honoured, also where the guest writes to its root.
func TestNamespacesAndUser(t *testing.T) {
	kernel.NeedRoot(t)
	_, guest := programs(t)
	data, err := os.ReadFile(guest)
	if err != nil {
		t.Fatal(err)
	}
	// Somebody else's namespaces.
	pod := exec.Command("sleep", "60")
	pod.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC, Pdeathsig: syscall.SIGKILL}
	if err := pod.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		pod.Process.Kill()
		pod.Wait()
	}()
	b := newBox(t)
	b.spec.Annotations = map[string]string{bundle.Cache: b.spec.Annotations[bundle.Cache]}
	b.spec.Process.Args = []string{"/app.wasm", "write", "/srv/new", "text"}
	b.spec.Process.User = specs.User{UID: 4711, GID: 4712}
	b.spec.Linux = &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.MountNamespace}, {Type: specs.PIDNamespace}}}
	kinds := map[string]specs.LinuxNamespaceType{"net": specs.NetworkNamespace, "uts": specs.UTSNamespace, "ipc": specs.IPCNamespace}
	for name, kind := range kinds {
		b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: kind, Path: fmt.Sprintf("/proc/%d/ns/%s", pod.Process.Pid, name)})
	}
	if err := os.WriteFile(filepath.Join(b.spec.Root.Path, "app.wasm"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(b.spec.Root.Path, 4711, 4712); err != nil {
		t.Fatal(err)
	}
	b.create()
	pid := b.pid()
	for name := range kinds {
		if got, want := kernel.Namespace(t, pid, name), kernel.Namespace(t, pod.Process.Pid, name); got != want {
			t.Errorf("its %s namespace is %s, want %s", name, got, want)
		}
	}
	for key, want := range map[string]string{"Uid": "4711 4711 4711 4711", "Gid": "4712 4712 4712 4712", "Groups": "", "CapPrm": "0000000000000000", "CapBnd": "0000000000000000"} {
		if got := statusOf(t, pid, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if err := b.shim.Start(b.context()); err != nil {
		t.Fatal(err)
	}
	if st := b.wait(); st.Code != 0 {
		t.Errorf("exit = %+v", st)
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(b.spec.Root.Path, "srv", "new"), &st); err != nil || st.Uid != 4711 || st.Gid != 4712 {
		t.Errorf("what it wrote belongs to %d:%d, %v", st.Uid, st.Gid, err)
	}
}

// An ordinary user of a container of the embedded engine has a level of its
// own to write to, and the code to run.
func TestUserOfTheEngine(t *testing.T) {
	kernel.NeedRoot(t)
	b := newBox(t, "write", "/mine/new", "text")
	b.spec.Process.User = specs.User{UID: 4711, GID: 4712}
	mine := filepath.Join(b.spec.Root.Path, "mine")
	if err := os.MkdirAll(mine, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(mine, 4711, 4712); err != nil {
		t.Fatal(err)
	}
	b.spec.Process.Cwd = "/"
	if st := b.run().wait(); st.Code != 0 {
		t.Errorf("exit = %+v", st)
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(b.dir, "upper", "data", "mine", "new"), &st); err != nil || st.Uid != 4711 {
		t.Errorf("what it wrote belongs to %d: %v", st.Uid, err)
	}
}

// With no network there is none for the process either.
func TestNoNetwork(t *testing.T) {
	b := newBox(t, "sleep")
	b.spec.Annotations[bundle.Network] = "none"
	b.create()
	if pid := b.pid(); kernel.Namespace(t, pid, "net") == kernel.Namespace(t, os.Getpid(), "net") {
		t.Error("it has the host's network")
	}
}

// A wall that the specification asks for and that cannot be built is told, and
// fails the container.
func TestWallThatFails(t *testing.T) {
	kernel.NeedRoot(t)
	b := newBox(t, "exit", "0")
	b.spec.Linux = &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.MountNamespace}, {Type: specs.NetworkNamespace, Path: "/nowhere"}}}
	b.start()
	_, err := b.shim.Create(b.context())
	if err == nil || !strings.Contains(err.Error(), "cannot join the network namespace /nowhere: no such file or directory") {
		t.Errorf("create gave %v", err)
	}
}

// The process that is made in advance builds its walls before Create asks, and
// is the one that runs: else a start would pay for two.
func TestWallsInAdvance(t *testing.T) {
	shim, guest := programs(t)
	module, err := os.ReadFile(guest)
	if err != nil {
		t.Fatal(err)
	}
	if st := newBox(t, "exit", "0").run().wait(); st.Code != 0 { // compiles
		t.Fatalf("exit = %+v", st)
	}
	had := containersOf(t, shim)
	b := newBox(t, "exit", "0")
	b.spec.Annotations[bundle.ModuleDigest] = digest.FromBytes(module).String()
	b.start()
	host := kernel.Namespace(t, os.Getpid(), "mnt")
	early := 0
	for deadline := time.Now().Add(20 * time.Second); early == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no process stands within its walls before Create")
		}
		for pid := range containersOf(t, shim) {
			if link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid)); err == nil && !had[pid] && link != kernel.Namespace(t, os.Getpid(), "pid") {
				early = pid
			}
		}
	}
	if _, err := b.shim.Create(b.context()); err != nil {
		t.Fatal(err)
	}
	if pid := b.pid(); pid != early || kernel.Namespace(t, pid, "mnt") == host {
		t.Errorf("the container's process is %d, made in advance was %d", pid, early)
	}
}

// containersOf lists the container processes of a shim's program.
func containersOf(t *testing.T, shim string) map[int]bool {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	pids := map[int]bool{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		args, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if parts := strings.Split(string(args), "\x00"); err == nil && len(parts) > 1 && parts[0] == shim && parts[1] == "guest" {
			pids[pid] = true
		}
	}
	return pids
}
