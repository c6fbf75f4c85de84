//go:build linux

package shim_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"wherry/internal/sandbox/enter"
	"wherry/internal/shim/bundle"
	"wherry/internal/testutil/kernel"
)

// pausePSS bounds the memory of a process that keeps a pod, in kB, each page
// divided by the number of those who share it (proc_pid_smaps(5)).
const pausePSS = 2000

// newPause describes the container that keeps a pod, as CRI does.
func newPause(t *testing.T) *box {
	t.Helper()
	kernel.NeedRoot(t)
	b := newBox(t)
	b.spec.Process.Args = []string{"/pause"}
	b.spec.Annotations = map[string]string{bundle.Sandbox: "pod", bundle.ContainerType: bundle.PodSandbox}
	b.spec.Hostname = "pod"
	b.spec.Linux = &specs.Linux{}
	for _, kind := range []specs.LinuxNamespaceType{specs.MountNamespace, specs.PIDNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.NetworkNamespace} {
		b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: kind})
	}
	return b
}

// joinPod runs a container in the pod that b keeps.
func (b *box) joinPod(args ...string) *box {
	b.t.Helper()
	c := newBox(b.t, args...)
	c.opts.Address, c.opts.ID = b.opts.Address, "guest"
	c.spec.Annotations[bundle.Sandbox] = "pod"
	c.spec.Linux = &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.MountNamespace}}}
	for name, kind := range map[string]specs.LinuxNamespaceType{
		"pid": specs.PIDNamespace, "ipc": specs.IPCNamespace, "uts": specs.UTSNamespace, "net": specs.NetworkNamespace,
	} {
		c.spec.Linux.Namespaces = append(c.spec.Linux.Namespaces, specs.LinuxNamespace{Type: kind, Path: fmt.Sprintf("/proc/%d/ns/%s", b.pid(), name)})
	}
	c.write()
	c.connect()
	b.t.Cleanup(func() { c.shim.Close() })
	if _, err := c.shim.Create(c.context()); err != nil {
		b.t.Fatal(err)
	}
	if err := c.shim.Start(c.context()); err != nil {
		b.t.Fatal(err)
	}
	return c
}

// A pod's own container needs no image, holds nearly nothing, and can do
// nothing; what happens to a container happens to it.
func TestPause(t *testing.T) {
	b := newPause(t).run()
	pid, most := b.pid(), pausePSS
	is := map[string]string{
		"Name": "wherry-pause", "NoNewPrivs": "1",
		"CapPrm": "0000000000000000", "CapEff": "0000000000000000", "CapBnd": "0000000000000000",
	}
	if enter.CanFork {
		is["Threads"], is["Seccomp"] = "1", "1"
	} else {
		most *= 5 // Go's runtime has begun
	}
	for key, want := range is {
		if got := statusOf(t, pid, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	for _, name := range []string{"pid", "ipc", "uts", "net", "mnt"} {
		if kernel.Namespace(t, pid, name) == kernel.Namespace(t, os.Getpid(), name) {
			t.Errorf("its %s namespace is the host's", name)
		}
	}
	if names, err := os.ReadDir(fmt.Sprintf("/proc/%d/root/", pid)); err != nil || len(names) != 0 {
		t.Errorf("its root holds %v, %v", names, err)
	}
	if pss := pssOf(t, pid); pss > most {
		t.Errorf("it takes %d kB, %d are enough", pss, most)
	} else {
		t.Logf("PSS %d kB", pss)
	}
	if err := b.shim.Pause(b.context()); err != nil {
		t.Errorf("pause: %v", err)
	}
	if err := b.shim.Resume(b.context()); err != nil {
		t.Errorf("resume: %v", err)
	}
	if _, err := b.shim.Stats(b.context()); err != nil {
		t.Errorf("stats: %v", err)
	}
	if err := b.shim.Kill(b.context(), int(unix.SIGTERM)); err != nil {
		t.Fatal(err)
	}
	if st := b.wait(); st.Code != 128+int(unix.SIGTERM) {
		t.Errorf("exit = %+v, want that of a SIGTERM", st)
	}
}

// It collects the orphans of its namespace of processes.
func TestPauseCollectsOrphans(t *testing.T) {
	b := newPause(t).run()
	pid := b.pid()
	// The inner shell's child outlives it, and ends by itself.
	out, err := exec.Command("nsenter", "-t", strconv.Itoa(pid), "-p", "sh", "-c", "(sleep 0.1 & echo $!)").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) { // nothing tells of a process that nobody waits for
		left := childrenOf(t, pid)
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it has children: %q", left)
		}
	}
}

// The containers of a pod share its namespaces and its shim, which ends with
// the last of them, in whatever order they go.
func TestPodEndsWithItsLastContainer(t *testing.T) {
	pause := newPause(t).run()
	c := pause.joinPod("loop")
	for _, name := range []string{"pid", "ipc", "uts", "net"} {
		if got, want := kernel.Namespace(t, c.pid(), name), kernel.Namespace(t, pause.pid(), name); got != want {
			t.Errorf("its %s namespace is %s, want the pod's, %s", name, got, want)
		}
	}
	if err := pause.shim.Kill(pause.context(), int(unix.SIGKILL)); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*box{pause, c} {
		if st := b.wait(); st.Code != 137 {
			t.Errorf("exit = %+v, want 137: the pod's first process has gone", st)
		}
	}
	if _, err := pause.shim.Delete(pause.context()); err != nil {
		t.Fatal(err)
	}
	if err := pause.shim.Shutdown(pause.context()); err != nil {
		t.Fatal(err)
	}
	if st, err := c.shim.State(c.context()); err != nil {
		t.Fatalf("the other container: %+v, %v", st, err)
	}
	if _, err := c.shim.Delete(c.context()); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*box{pause, c} {
		select {
		case <-b.shim.Gone():
		case <-b.context().Done():
			t.Fatal("the shim of a pod without containers is there yet")
		}
	}
}

// It does not outlive its shim.
func TestPauseEndsWithItsShim(t *testing.T) {
	b := newPause(t).run()
	fd, err := unix.PidfdOpen(b.pid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	parent, err := strconv.Atoi(statusOf(t, b.pid(), "PPid"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(parent, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000); n != 1 {
		t.Errorf("it lives on: %v", err)
	}
}

// pssOf is a process's memory in kB.
func pssOf(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no Pss in %s", text)
	return 0
}

// childrenOf lists the command lines and states of a process's children.
func childrenOf(t *testing.T, pid int) (list []string) {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range dirs {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), fmt.Sprintf("\nPPid:\t%d\n", pid)) {
			list = append(list, strings.Join(strings.SplitN(string(text), "\n", 4)[:3], " "))
		}
	}
	return list
}
