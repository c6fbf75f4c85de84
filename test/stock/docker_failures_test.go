//go:build linux && daemons

package stock

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const sigwinch = unix.SIGWINCH

var failureTests = []subtest{
	{"module that does not compile", testBadModule},
	{"process killed", testProcessKilled},
	{"shim killed", testShimKilled},
	{"containerd restarted", testContainerdRestarted},
	{"dockerd restarted", testDockerdRestarted},
}

func testBadModule(t *testing.T, e *engine) {
	image := probe(t)
	image.Name = "docker.io/library/bad:1"
	// A module with one function, whose body leaves nothing where it owes a number.
	image.Files = map[string][]byte{"probe.wasm": []byte("\x00asm\x01\x00\x00\x00" +
		"\x01\x08\x02\x60\x00\x00\x60\x00\x01\x7f" + "\x03\x03\x02\x00\x01" + "\x07\x0a\x01\x06_start\x00\x00" + "\x0a\x07\x02\x02\x00\x0b\x02\x00\x0b")}
	e.Run(t, "load", "-i", image.Archive(t))
	out, code := e.Try(t, "run", "--rm", "--runtime=io.containerd.wasmedge.v1", "--platform=wasi/wasm32", image.Name)
	if code == 0 || !strings.Contains(out, `exec: "/probe.wasm": exec format error`) || !strings.Contains(out, "type mismatch") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func testProcessKilled(t *testing.T, e *engine) {
	id := e.detach(t, nil, "sleep")
	e.awaitLog(t, id, "sleeping")
	kill(t, e.pid(t, id))
	if code := e.Run(t, "wait", id); code != "137" {
		t.Errorf("exit code %s", code)
	}
	e.Run(t, "rm", id)
	checkGone(t, e, id)
}

// A shim's death is the container's, and nothing of it is left.
func testShimKilled(t *testing.T, e *engine) {
	id := e.detach(t, nil, "sleep")
	e.awaitLog(t, id, "sleeping")
	pid := e.pid(t, id)
	kill(t, shimOf(t, id))
	if code := e.Run(t, "wait", id); code != "137" {
		t.Errorf("exit code %s", code)
	}
	await(t, "the guest's end", func() bool { return !running(pid) })
	e.Run(t, "rm", id)
	checkGone(t, e, id)
}

// shimOf finds the shim of a container.
func shimOf(t *testing.T, id string) int {
	t.Helper()
	for _, p := range processes(t) {
		if strings.Contains(p.args, "-id "+id) && strings.Contains(p.args, "containerd-shim-") {
			return p.pid
		}
	}
	t.Fatalf("no shim of %s among %v", id, processes(t))
	return 0
}

type process struct {
	pid  int
	args string
}

// processes are all that live.
func processes(t *testing.T) (list []process) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscanf(e.Name(), "%d", &pid); err != nil {
			continue
		}
		if args, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline")); err == nil && running(pid) {
			list = append(list, process{pid, strings.TrimSpace(strings.ReplaceAll(string(args), "\x00", " "))})
		}
	}
	return list
}

// checkGone holds that nothing has a removed container's name any more: no
// process, mount, cgroup or bundle.
func checkGone(t *testing.T, e *engine, id string) {
	t.Helper()
	var left []string
	defer func() {
		if t.Failed() {
			t.Logf("left of %s: %s", id, left)
		}
	}()
	await(t, "the end of all that a container has", func() bool {
		left = nil
		for _, p := range processes(t) {
			if strings.Contains(p.args, id) {
				left = append(left, p.args)
			}
		}
		mounts, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(mounts)) {
			if strings.Contains(line, id) {
				left = append(left, line)
			}
		}
		for _, pattern := range []string{"/sys/fs/cgroup/docker/", "/sys/fs/cgroup/*/docker/", "/run/c*/state/io.containerd.runtime.v2.task/moby/"} {
			found, err := filepath.Glob(pattern + id)
			if err != nil {
				t.Fatal(err)
			}
			left = append(left, found...)
		}
		return len(left) == 0
	})
}

func testContainerdRestarted(t *testing.T, e *engine) {
	id := e.detach(t, opts("-p", "8082:9000"), "serve", ":9000", "sleep")
	e.outlives(t, id, e.Containerd)
}

// outlives holds that a container goes on while a daemon is not there, and
// obeys when it is back.
func (e *engine) outlives(t *testing.T, id string, daemon interface {
	Stop(testing.TB)
	Start(testing.TB)
}) {
	t.Helper()
	e.awaitLog(t, id, "sleeping")
	pid := e.pid(t, id)
	daemon.Stop(t)
	if !running(pid) {
		t.Errorf("the guest ended with %T", daemon)
	}
	daemon.Start(t)
	e.use(t, id, pid)
}

// use holds that a container is what it was, and obeys.
func (e *engine) use(t *testing.T, id string, pid int) {
	t.Helper()
	// The daemon may be looking for its containers yet.
	await(t, "the container as it was", func() bool {
		out, _ := e.Try(t, "inspect", "--format", "{{.State.Status}} {{.State.Pid}}", id)
		return out == fmt.Sprint("running ", pid)
	})
	if out := e.guest(t, opts("--network", "container:"+id), "dial", "127.0.0.1:9000"); out != "served :9000" {
		t.Errorf("it answers %q", out)
	}
	e.Run(t, "stop", id)
	if code := e.inspect(t, id, ".State.ExitCode"); code != "143" {
		t.Errorf("exit code %s", code)
	}
	e.Run(t, "rm", id)
	checkGone(t, e, id)
}

func testDockerdRestarted(t *testing.T, e *engine) {
	e.configure(t, map[string]any{"live-restore": true})
	defer e.configure(t, map[string]any{"live-restore": false})
	id := e.detach(t, nil, "serve", ":9000", "sleep")
	e.outlives(t, id, e.Docker)
}

// configure changes the daemon's settings while it runs.
func (e *engine) configure(t *testing.T, settings map[string]any) {
	t.Helper()
	settings["features"] = map[string]bool{"containerd-snapshotter": true}
	data, err := json.Marshal(settings)
	if err == nil {
		err = os.WriteFile(filepath.Join(e.Dir, "daemon.json"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	e.Signal(t, syscall.SIGHUP)
	await(t, "the daemon's new settings", func() bool {
		return e.Run(t, "info", "--format", "{{.LiveRestoreEnabled}}") == fmt.Sprint(settings["live-restore"])
	})
}
