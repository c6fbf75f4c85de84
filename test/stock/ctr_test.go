//go:build linux && daemons

package stock

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/console"

	"wherry/internal/testutil/stock"
)

// TestCtr drives containerd, of each set, through its own client.
func TestCtr(t *testing.T) {
	for _, set := range []stock.Set{stock.Newest, stock.Debian} {
		t.Run(string(set), func(t *testing.T) {
			c := &ctr{stock.StartContainerd(t, set, shims(t))}
			c.Run(t, "image", "import", "--all-platforms", probe(t).Archive(t))
			for name, do := range map[string]func(*testing.T, *ctr){
				"run": testCtrRun, "terminal": testCtrTerminal, "task": testCtrTask, "many": testCtrMany, "restart": testCtrRestart,
			} {
				t.Run(name, func(t *testing.T) { do(t, c) })
			}
			if left := c.Run(t, "container", "ls", "-q") + c.Run(t, "task", "ls", "-q") + shimsOf(t, c); strings.Contains(left, "wasm") || strings.Contains(left, "containerd-shim") {
				t.Errorf("left: %s", left)
			}
			if log := c.Log(t); strings.Contains(log, "-info") {
				t.Errorf("containerd cannot ask the shim what it is: %s", log)
			}
		})
	}
}

type ctr struct{ *stock.Containerd }

// shimsOf are the command lines of the shims of a containerd.
func shimsOf(t *testing.T, c *ctr) (list string) {
	t.Helper()
	for _, p := range processes(t) {
		if strings.Contains(p.args, "-address "+c.Address) && strings.Contains(p.args, "containerd-shim-") {
			list += p.args + "\n"
		}
	}
	return list
}

func (c *ctr) run(t *testing.T, options []string, id string, args ...string) *exec.Cmd {
	t.Helper()
	all := append([]string{"run", "--runtime", "io.containerd.wasmtime.v1", "--platform", "wasi/wasm32"}, options...)
	return c.Ctr(t.Context(), append(append(all, probeName, id, "/probe.wasm"), args...)...)
}

func testCtrRun(t *testing.T, c *ctr) {
	for want, args := range map[int][]string{0: {"env", "COLOUR"}, 3: {"env", "COLOUR", "exit", "3"}} {
		out, err := c.run(t, opts("--rm", "--env", "COLOUR=blue"), "wasm-run", args...).Output()
		code := 0
		if exit, ok := err.(*exec.ExitError); ok {
			code = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if code != want || string(out) != "blue\n" {
			t.Errorf("%s: exit code %d, want %d: %s", args, code, want, out)
		}
	}
	in := c.run(t, opts("--rm"), "wasm-in", "pwd", "sum")
	input, err := in.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var shown screen
	in.Stdout = &shown
	if err := in.Start(); err != nil {
		t.Fatal(err)
	}
	// ctr forgets an end of input that comes before the task is there.
	await(t, "the guest's first line", func() bool { return shown.String() == "/\n" })
	if _, err := io.WriteString(input, "abc"); err != nil {
		t.Fatal(err)
	}
	input.Close()
	if err := in.Wait(); err != nil || !strings.HasPrefix(shown.String(), "/\n3 ba7816bf") {
		t.Errorf("with input: %v: %s", err, &shown)
	}
}

// onTerminal starts a command on a terminal.
func onTerminal(t *testing.T, cmd *exec.Cmd) (terminal console.Console, shown *screen, ended <-chan error) {
	t.Helper()
	terminal, name, err := console.NewPty()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	user, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := terminal.Resize(console.WinSize{Height: 30, Width: 100}); err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = user, user, user
	err = cmd.Start()
	user.Close()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	shown = &screen{}
	go func() { _, _ = io.Copy(shown, terminal) }() // ends with an error, as terminals do
	return terminal, shown, done
}

func testCtrTerminal(t *testing.T, c *ctr) {
	terminal, shown, ended := onTerminal(t, c.run(t, opts("--rm", "-t"), "wasm-terminal", "pwd", "copy"))
	defer func() {
		if t.Failed() {
			t.Logf("the terminal shows %q", shown)
		}
	}()
	// ctr leaves its own terminal the work on lines, which returns twice then.
	lines := func() string { return strings.ReplaceAll(shown.String(), "\r", "") }
	await(t, "the guest's first line", func() bool { return strings.Contains(lines(), "/\n") })
	if _, err := io.WriteString(terminal, "typed\r"); err != nil {
		t.Fatal(err)
	}
	await(t, "what was typed, twice", func() bool { return strings.Count(lines(), "typed\n") == 2 })
	if _, err := io.WriteString(terminal, "\x04"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("ctr run -t: %v: %s", err, shown)
	}
}

// status is a task's, as task ls says, empty where there is none.
func (c *ctr) status(t *testing.T, id string) string {
	t.Helper()
	for line := range strings.Lines(c.Run(t, "task", "ls")) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == id {
			return f[2]
		}
	}
	return ""
}

func testCtrTask(t *testing.T, c *ctr) {
	const id = "wasm-task"
	if out, err := c.run(t, opts("-d"), id, "loop").CombinedOutput(); err != nil {
		t.Fatalf("ctr run -d: %v: %s", err, out)
	}
	if s := c.status(t, id); s != "RUNNING" {
		t.Errorf("task ls: %q", s)
	}
	if ps := c.Run(t, "task", "ps", id); len(strings.Split(strings.TrimSpace(ps), "\n")) < 2 {
		t.Errorf("task ps: %s", ps)
	}
	if m := c.Run(t, "task", "metrics", id); !strings.Contains(m, "memory.usage_in_bytes") && !strings.Contains(m, "memory.usage") {
		t.Errorf("task metrics: %s", m)
	}
	c.Run(t, "task", "pause", id)
	if s := c.status(t, id); s != "PAUSED" {
		t.Errorf("a paused task is %q", s)
	}
	c.Run(t, "task", "resume", id)
	if s := c.status(t, id); s != "RUNNING" {
		t.Errorf("a resumed task is %q", s)
	}
	c.Run(t, "task", "kill", "--signal", "SIGTERM", id)
	await(t, "the task's end", func() bool { return c.status(t, id) == "STOPPED" })
	if out := c.Run(t, "task", "delete", id); !strings.Contains(out, "non-zero exit code 143") {
		t.Errorf("task delete: %s", out)
	}
	c.Run(t, "container", "rm", id)
}

func testCtrMany(t *testing.T, c *ctr) {
	const many = 20
	var all sync.WaitGroup
	for i := range many {
		cmd := c.run(t, opts("--rm", "--env", fmt.Sprint("N=", i)), fmt.Sprint("wasm-", i), "env", "N")
		all.Go(func() {
			if out, err := cmd.Output(); err != nil || string(out) != fmt.Sprintln(i) {
				t.Errorf("container %d: %v: %q", i, err, out)
			}
		})
	}
	all.Wait()
}

// containerd goes and comes back, and the task is what it was.
func testCtrRestart(t *testing.T, c *ctr) {
	const id = "wasm-kept"
	if out, err := c.run(t, opts("-d"), id, "sleep").CombinedOutput(); err != nil {
		t.Fatalf("ctr run -d: %v: %s", err, out)
	}
	c.Stop(t)
	c.Containerd.Start(t)
	await(t, "the task as it was", func() bool { return c.status(t, id) == "RUNNING" })
	begin := time.Now()
	c.Run(t, "task", "kill", "--signal", "SIGKILL", id)
	await(t, "the task's end", func() bool { return c.status(t, id) == "STOPPED" })
	if d := time.Since(begin); d > patience/2 {
		t.Errorf("the end took %s", d)
	}
	c.Run(t, "container", "ls")
	_, _ = c.Ctr(t.Context(), "task", "delete", id).CombinedOutput() // exits as the task did
	c.Run(t, "container", "rm", id)
}
