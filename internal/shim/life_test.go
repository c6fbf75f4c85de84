//go:build linux

package shim_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"wherry/internal/shim/bundle"
	"wherry/internal/shim/client"
)

func TestKill(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL, unix.SIGUSR1, unix.SIGQUIT} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			b := newBox(t, "loop").run()
			// Signals that a guest would not see change nothing.
			for _, ignored := range []unix.Signal{unix.SIGWINCH, unix.SIGCHLD, unix.SIGURG} {
				if err := b.shim.Kill(b.context(), int(ignored)); err != nil {
					t.Errorf("%v: %v", ignored, err)
				}
			}
			if err := b.shim.Kill(b.context(), int(sig)); err != nil {
				t.Fatal(err)
			}
			if st := b.wait(); st.Code != 128+int(sig) || st.Reason != "" {
				t.Errorf("exit = %+v, want %d without a reason", st, 128+int(sig))
			}
			if err := b.shim.Kill(b.context(), int(sig)); !errdefs.IsNotFound(err) {
				t.Errorf("a second kill gave %v, want ErrNotFound", err)
			}
		})
	}
}

func TestKillFromOutside(t *testing.T) {
	b := newBox(t, "loop").run()
	pids, err := b.shim.Pids(b.context())
	if err != nil || len(pids) != 1 {
		t.Fatalf("pids = %v, %v", pids, err)
	}
	if err := unix.Kill(pids[0], unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if st := b.wait(); st.Code != 137 || !strings.Contains(st.Reason, "from outside") {
		t.Errorf("exit = %+v, want 137 and who did it", st)
	}
}

func TestPauseAndStates(t *testing.T) {
	b := newBox(t, "sleep").create()
	expect := func(want client.Status) {
		t.Helper()
		st, err := b.shim.State(b.context())
		if err != nil || st.Status != want {
			t.Fatalf("state = %+v, %v; want %s", st, err, want)
		}
	}
	try := func(call func(context.Context) error) {
		t.Helper()
		if err := call(b.context()); err != nil {
			t.Fatal(err)
		}
	}
	expect(client.Created)
	if err := b.shim.Pause(b.context()); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("pause of a created container: %v", err)
	}
	try(b.shim.Start)
	expect(client.Running)
	if err := b.shim.Start(b.context()); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("second start: %v", err)
	}
	if _, err := b.shim.Delete(b.context()); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("delete of a running container: %v", err)
	}
	try(b.shim.Pause)
	expect(client.Paused)
	pid, err := b.shim.Pids(b.context())
	if err != nil {
		t.Fatal(err)
	}
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid[0])); err != nil || !strings.Contains(string(stat), "T (stopped)") {
		t.Errorf("the process is not stopped: %v", err)
	}
	try(b.shim.Resume)
	expect(client.Running)
	m, err := b.shim.Stats(b.context())
	if err != nil || m.GetMemory().GetUsage() == 0 || m.GetPids().GetCurrent() == 0 {
		t.Errorf("stats = %v, %v", m, err)
	}
	try(b.shim.Pause)
	if err := b.shim.Kill(b.context(), int(unix.SIGTERM)); err != nil {
		t.Fatal(err)
	}
	if st := b.wait(); st.Code != 143 {
		t.Errorf("exit of a paused container = %+v, want 143", st)
	}
	expect(client.Stopped)
}

func TestDeleteOfACreatedContainer(t *testing.T) {
	b := newBox(t, "sleep").create()
	st, err := b.shim.Delete(b.context())
	if err != nil || st.Code != 137 {
		t.Errorf("delete = %+v, %v; want 137", st, err)
	}
	if _, err := b.shim.State(b.context()); !errdefs.IsNotFound(err) {
		t.Errorf("state after delete: %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	b := newBox(t, "env")
	b.spec.Hostname = "box"
	b.run().wait()
	// Where the machine has certificates guests are told.
	got := strings.Replace(b.logged("stdout"), "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt\n", "", 1)
	if want := "PATH=/bin\nA=b\nPWD=/srv\nHOSTNAME=box\ncwd /srv <nil>\n"; got != want {
		t.Errorf("environment = %q, want %q", got, want)
	}
}

func TestParallelExits(t *testing.T) {
	const n = 200
	const atOnce = 8
	_, guest := programs(t)
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	// One pod, so that one shim has all of them as children.
	first := newBox(t, "exit", "0")
	first.spec.Annotations[bundle.Sandbox] = "pod"
	first.start()
	for i := range n {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			want := i % 120
			b := newBox(t, "exit", strconv.Itoa(want))
			if i%2 == 0 {
				// Half of them find their program in the root.
				delete(b.spec.Annotations, bundle.Module)
				if err := os.Link(guest, filepath.Join(b.spec.Root.Path, "app.wasm")); err != nil {
					t.Error(err)
					return
				}
			}
			b.opts.Address = first.opts.Address
			b.opts.ID = fmt.Sprintf("box%d", i)
			b.spec.Annotations[bundle.Sandbox] = "pod"
			b.write()
			var err error
			if b.shim, err = client.Start(b.context(), b.opts); err != nil {
				t.Error(err)
				return
			}
			defer b.shim.Close()
			if _, err := b.shim.Create(b.context()); err != nil {
				t.Error(err)
				return
			}
			if err := b.shim.Start(b.context()); err != nil {
				t.Error(err)
				return
			}
			st, err := b.shim.Wait(b.context())
			if err != nil || st.Code != want {
				t.Errorf("container %d: exit = %+v, %v; want %d", i, st, err, want)
			}
			if _, err := b.shim.Delete(b.context()); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	// What is over holds nothing of the shim's.
	shimPID := shimOf(t, first)
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", shimPID))
	if err != nil || len(fds) > 60 {
		t.Errorf("after %d containers the shim has %d descriptors open, %v", n, len(fds), err)
	}
}

// shimOf gives the pid of a box's shim, whose container was not made yet.
func shimOf(t *testing.T, b *box) int {
	t.Helper()
	if _, err := b.shim.Create(b.context()); err != nil {
		t.Fatal(err)
	}
	pids, err := b.shim.Pids(b.context())
	if err != nil || len(pids) != 1 {
		t.Fatalf("pids = %v, %v", pids, err)
	}
	return parentOf(t, pids[0])
}

func TestDeadShim(t *testing.T) {
	b := newBox(t, "loop").run()
	pids, err := b.shim.Pids(b.context())
	if err != nil {
		t.Fatal(err)
	}
	shim := parentOf(t, pids[0])
	if err := unix.Kill(shim, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-b.shim.Gone()
	if _, err := b.shim.State(b.context()); !errdefs.IsUnavailable(err) {
		t.Errorf("state of a dead shim: %v, want ErrUnavailable", err)
	}
	st, err := client.Delete(b.context(), b.opts)
	if err != nil || st.Code != 137 {
		t.Errorf("delete = %+v, %v; want 137", st, err)
	}
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pids[0])); err == nil && !strings.Contains(string(stat), ") Z ") {
		t.Errorf("the container process lives on: %s", stat)
	}
	entries, err := os.ReadDir(filepath.Join(b.dir, "s"))
	if err != nil || len(entries) != 0 {
		t.Errorf("sockets are left: %v, %v", entries, err)
	}
	if file, err := client.ExitFile(b.opts.Bundle); err != nil || file.Code != 137 || file.Reason == "" {
		t.Errorf("exit.json = %+v, %v", file, err)
	}
}

// parentOf gives a process's parent.
func parentOf(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if n, ok := strings.CutPrefix(line, "PPid:"); ok {
			ppid, err := strconv.Atoi(strings.TrimSpace(n))
			if err != nil {
				t.Fatal(err)
			}
			return ppid
		}
	}
	t.Fatal("no PPid")
	return 0
}

// A dead shim takes its container along at once, without anybody's delete.
func TestContainerDiesWithItsShim(t *testing.T) {
	b := newBox(t, "loop").run()
	pids, err := b.shim.Pids(b.context())
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pids[0], 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Kill(parentOf(t, pids[0]), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20000); n != 1 {
		t.Errorf("the container's process did not die with its shim: %v", err)
	}
}

func TestContainerProcessIsAlone(t *testing.T) {
	b := newBox(t, "sleep").run()
	pids, err := b.shim.Pids(b.context())
	if err != nil {
		t.Fatal(err)
	}
	pid := pids[0]
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(status), "NoNewPrivs:\t1") {
		t.Error("the container's process may gain privileges")
	}
	if pgid, err := unix.Getpgid(pid); err != nil || pgid != pid {
		t.Errorf("process group = %d, %v; want its own, %d", pgid, err, pid)
	}
	if sid, err := unix.Getsid(pid); err != nil || sid != pid {
		t.Errorf("session = %d, %v; want its own, %d", sid, err, pid)
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil || !bytes.Contains(bytes.Join(bytes.Fields(limits), []byte(" ")), []byte("Max core file size 0 0")) {
		t.Errorf("it may write cores: %v", err)
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil || strings.Contains(string(env), "HOME=") {
		t.Errorf("it has the environment of its shim: %q, %v", env, err)
	}
}

func TestMemoryLimit(t *testing.T) {
	b := newBox(t, "grow")
	b.limitMemory(32 << 20)
	st := b.run().wait()
	if st.Code == 0 || !strings.Contains(st.Reason, "memory.grow failed at limit 32 MiB") {
		t.Errorf("exit = %+v, want the limit as its reason", st)
	}
	if got := b.logged("stderr"); !strings.Contains(got, "wherry: memory.grow failed at limit 32 MiB") {
		t.Errorf("stderr does not tell of the limit: %.300q", got)
	}
}

func TestCompiledOnce(t *testing.T) {
	b := newBox(t, "exit", "0")
	cache := filepath.Join(b.dir, "code")
	b.spec.Annotations[bundle.Cache] = cache
	b.run().wait()
	entries := func() (files []os.FileInfo) {
		t.Helper()
		paths, err := filepath.Glob(filepath.Join(cache, "*.code"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			info, err := os.Stat(p)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, info)
		}
		return files
	}
	first := entries()
	if len(first) != 1 || first[0].Mode().Perm() != 0o400 {
		t.Fatalf("cache = %v, want one entry that nobody can write", first)
	}
	again := newBox(t, "exit", "0")
	again.spec.Annotations[bundle.Cache] = cache
	again.run().wait()
	second := entries()
	if len(second) != 1 || !os.SameFile(first[0], second[0]) {
		t.Errorf("the module was compiled again")
	}

	// What was damaged is refused by the engine, and made anew.
	path := filepath.Join(cache, first[0].Name())
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, first[0].Size()/2); err != nil {
		t.Fatal(err)
	}
	third := newBox(t, "exit", "9")
	third.spec.Annotations[bundle.Cache] = cache
	if st := third.run().wait(); st.Code != 9 {
		t.Errorf("after the cache was damaged: exit = %+v", st)
	}
	// By its size: a new file may get the removed one's inode.
	if files := entries(); len(files) != 1 || files[0].Size() != first[0].Size() {
		t.Errorf("the damaged code is still there")
	}
}

func TestHooks(t *testing.T) {
	b := newBox(t, "exit", "0")
	told := filepath.Join(b.dir, "told")
	note := func(kind string) []specs.Hook {
		// The state's pid is that of a living process, until the end.
		return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c",
			`s=$(cat); p=${s#*\"pid\":}; p=${p%%[,\}]*}; test -e /proc/$p/ns/net && l=lives || l=gone; s=${s#*\"status\":\"}; echo "$0 ${s%%\"*} $l" >>"$1"`, kind, told}}}
	}
	b.spec.Hooks = &specs.Hooks{CreateRuntime: note("createRuntime"), Poststart: note("poststart"), Poststop: note("poststop")}
	//lint:ignore SA1019 Docker up to 27 uses this kind.
	b.spec.Hooks.Prestart = note("prestart")
	b.run()
	b.wait()
	if _, err := b.shim.Delete(b.context()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(told)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if err != nil || len(lines) != 4 || lines[0] != "prestart creating lives" || lines[1] != "createRuntime creating lives" ||
		!strings.HasPrefix(lines[2], "poststart running") || !strings.HasPrefix(lines[3], "poststop stopped") {
		t.Errorf("hooks ran as %q, %v", lines, err)
	}

	failing := newBox(t, "exit", "0")
	failing.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo no bridge; exit 1"}}}}
	failing.start()
	if _, err := failing.shim.Create(failing.context()); err == nil || !strings.Contains(err.Error(), "no bridge") {
		t.Errorf("a hook that fails gave %v", err)
	}
}
