//go:build linux && daemons

package stock

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wherry/internal/testutil/stock"
)

// TestDocker drives Docker Engine, of each set, through the docker command.
func TestDocker(t *testing.T) {
	for _, set := range []stock.Set{stock.Newest, stock.Debian} {
		t.Run(string(set), func(t *testing.T) {
			e := startEngine(t, set)
			for _, s := range slices.Concat(lifeTests, fileTests, networkTests, limitTests, streamTests, imageTests, failureTests) {
				t.Run(s.name, func(t *testing.T) { s.do(t, e) })
			}
			if out := e.Run(t, "ps", "-aq"); out != "" {
				t.Errorf("containers are left: %s", out)
			}
		})
	}
}

var lifeTests = []subtest{
	{"sentence", testSentence},
	{"exit codes", testExitCodes},
	{"stop", testStop},
	{"signals", testSignals},
	{"pause", testPause},
	{"restart", testRestart},
	{"restart policies", testRestartPolicies},
	{"settings of the process", testProcess},
	{"init", testInit},
}

// The line that users of other shims know, and what they ask afterwards.
func testSentence(t *testing.T, e *engine) {
	id := e.Run(t, "run", "-dp", "8080:8080", "--name=wasm-example", "--runtime=io.containerd.wasmedge.v1", "--platform=wasi/wasm32", hello(t, "wasi/wasm32").Name)
	e.removeAfter(t, id)
	if body := get(t, "http://127.0.0.1:8080/"); !strings.Contains(body, "Hello") {
		t.Errorf("the guest answered %q", body)
	}
	if out := e.Run(t, "ps", "--format", "{{.Names}} {{.Status}} {{.Ports}}"); !strings.Contains(out, "wasm-example Up") || !strings.Contains(out, "0.0.0.0:8080->8080/tcp") {
		t.Errorf("ps: %s", out)
	}
	pid := e.pid(t, id)
	if !running(pid) {
		t.Errorf("inspect gives pid %d, which does not run", pid)
	}
	if status := e.inspect(t, id, ".State.Status"); status != "running" {
		t.Errorf("inspect: status %s", status)
	}
	top := e.Run(t, "top", id, "-eo", "pid,comm")
	if lines := strings.Split(top, "\n"); len(lines) != 2 || !strings.Contains(lines[1], strconv.Itoa(pid)) {
		t.Errorf("top: %s", top)
	}
	testStats(t, e, id)

	follow := e.Command(t.Context(), "logs", "-f", id)
	var logs strings.Builder
	follow.Stdout, follow.Stderr = &logs, &logs
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	e.Run(t, "stop", id)
	if err := follow.Wait(); err != nil { // it ends with the container
		t.Errorf("logs -f: %v", err)
	}
	if !strings.Contains(logs.String(), "hello-go listens on") {
		t.Errorf("logs: %s", logs.String())
	}
	if got := e.inspect(t, id, "json .State"); !strings.Contains(got, `"Status":"exited"`) || !strings.Contains(got, `"ExitCode":143`) || !strings.Contains(got, `"OOMKilled":false`) {
		t.Errorf("inspect after the end: %s", got)
	}
}

func testStats(t *testing.T, e *engine, id string) {
	t.Helper()
	var s struct{ MemUsage, MemPerc, CPUPerc, PIDs, NetIO string }
	out := e.Run(t, "stats", "--no-stream", "--format", "json", id)
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("stats: %v: %s", err, out)
	}
	if tasks, err := strconv.Atoi(s.PIDs); err != nil || tasks < 1 {
		t.Errorf("stats: %s tasks", s.PIDs)
	}
	if used, _, _ := strings.Cut(s.MemUsage, " / "); !strings.HasSuffix(used, "MiB") {
		t.Errorf("stats: memory %s", s.MemUsage)
	}
	if s.NetIO == "0B / 0B" || s.NetIO == "" {
		t.Errorf("stats: network %s", s.NetIO)
	}
	if !strings.HasSuffix(s.CPUPerc, "%") {
		t.Errorf("stats: CPU %s", s.CPUPerc)
	}
}

func testExitCodes(t *testing.T, e *engine) {
	for want, args := range map[int][]string{0: {"exit", "0"}, 3: {"exit", "3"}, 64: {"nonsense"}} {
		out, code := e.Try(t, runArgs(opts("--rm"), args...)...)
		if code != want {
			t.Errorf("%s: exit code %d, want %d: %s", args, code, want, out)
		}
	}
	out, code := e.Try(t, "run", "--rm", "--runtime=io.containerd.wasmedge.v1", "--platform=wasi/wasm32", "--entrypoint", "/nothing.wasm", probeName)
	if code != 127 || !strings.Contains(out, "no such file or directory") {
		t.Errorf("a program that is not there: exit code %d: %s", code, out)
	}
}

func testStop(t *testing.T, e *engine) {
	id := e.detach(t, nil, "sleep")
	e.awaitLog(t, id, "sleeping")
	begin := time.Now()
	e.Run(t, "stop", "-t", "60", id)
	if d := time.Since(begin); d > 20*time.Second {
		t.Errorf("a stop took %s", d)
	}
	if got := e.inspect(t, id, ".State.Status") + e.inspect(t, id, ".State.ExitCode"); got != "exited143" {
		t.Errorf("after the stop: %s", got)
	}
	if pid := e.inspect(t, id, ".State.Pid"); pid != "0" {
		t.Errorf("after the stop: pid %s", pid)
	}
}

func testSignals(t *testing.T, e *engine) {
	for sig, want := range map[string]string{"KILL": "137", "TERM": "143", "INT": "130", "HUP": "129", "USR1": "138"} {
		t.Run(sig, func(t *testing.T) {
			t.Parallel()
			id := e.detach(t, nil, "loop")
			e.Run(t, "kill", "-s", sig, id)
			if code := e.Run(t, "wait", id); code != want {
				t.Errorf("exit code %s, want %s", code, want)
			}
		})
	}
	id := e.detach(t, nil, "sleep")
	e.Run(t, "kill", "-s", "WINCH", id) // nothing by default
	if status := e.inspect(t, id, ".State.Status"); status != "running" {
		t.Errorf("after a signal that does nothing: %s", status)
	}
	e.Run(t, "rm", "-f", id)
}

func testPause(t *testing.T, e *engine) {
	id := e.detach(t, nil, "loop")
	e.awaitLog(t, id, "looping")
	e.Run(t, "pause", id)
	if status := e.inspect(t, id, ".State.Status"); status != "paused" {
		t.Errorf("status %s", status)
	}
	pid := e.pid(t, id)
	before := cpuTime(t, pid)
	time.Sleep(300 * time.Millisecond) // what it would run in
	if after := cpuTime(t, pid); after != before {
		t.Errorf("a paused guest used %v s", after-before)
	}
	e.Run(t, "unpause", id)
	await(t, "running again", func() bool { return cpuTime(t, pid) > before })
	e.Run(t, "pause", id)
	e.Run(t, "rm", "-f", id) // also a paused one
	if running(pid) {
		t.Error("a paused guest outlived its removal")
	}
}

func testRestart(t *testing.T, e *engine) {
	id := e.detach(t, nil, "try", "cat", "/made", "write", "/made", "kept", "sleep")
	e.awaitLog(t, id, "sleeping")
	first := e.pid(t, id)
	e.Run(t, "restart", id)
	e.awaitLog(t, id, "kept")
	if second := e.pid(t, id); second == first || running(first) {
		t.Errorf("restarted from process %d to %d", first, second)
	}
}

func testRestartPolicies(t *testing.T, e *engine) {
	failing := e.detach(t, opts("--restart=on-failure:3"), "exit", "3")
	always := e.detach(t, opts("--restart=always"), "sleep")
	await(t, "three restarts and an end", func() bool {
		return e.inspect(t, failing, ".RestartCount") == "3" && e.inspect(t, failing, ".State.Status") == "exited"
	})
	if code := e.inspect(t, failing, ".State.ExitCode"); code != "3" {
		t.Errorf("exit code %s", code)
	}
	killed := e.pid(t, always)
	kill(t, killed)
	await(t, "a restart after the process was killed", func() bool {
		pid := e.inspect(t, always, ".State.Pid")
		return pid != "0" && pid != strconv.Itoa(killed) && e.inspect(t, always, ".State.Status") == "running"
	})
	e.Run(t, "stop", always)
	if status := e.inspect(t, always, ".State.Status"); status != "exited" {
		t.Errorf("a stopped container is %s", status)
	}
}

func testProcess(t *testing.T, e *engine) {
	got := e.guest(t, opts("--env", "COLOUR=blue", "--workdir", "/etc", "--hostname", "box"), "env", "COLOUR", "pwd", "cat", "/etc/hostname", "env", "HOSTNAME")
	if want := "blue\n/etc\nbox\nbox"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// docker-init is not Wasm: the guest runs without it.
func testInit(t *testing.T, e *engine) {
	if got := e.guest(t, opts("--init"), "pwd"); got != "/" {
		t.Errorf("got %q", got)
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// userDir is a folder of an ordinary user.
func userDir(t *testing.T, mode os.FileMode) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(dir, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 1000, 1000); err != nil {
		t.Fatal(err)
	}
	return dir
}

func describe(t *testing.T, path string) string {
	t.Helper()
	uid, gid, mode := owner(t, path)
	return fmt.Sprintf("%d:%d %o", uid, gid, mode)
}
