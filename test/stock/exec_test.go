//go:build linux && daemons

package stock

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/containerd/console"

	"wherry/internal/testutil/stock"
)

// TestExec runs further guests in containers through the docker command.
func TestExec(t *testing.T) {
	for _, set := range []stock.Set{stock.Newest, stock.Debian} {
		t.Run(string(set), func(t *testing.T) {
			e := startEngine(t, set)
			for _, s := range execTests {
				t.Run(s.name, func(t *testing.T) { s.do(t, e) })
			}
		})
	}
}

var execTests = []subtest{
	{"output, codes and settings", testExecSettings},
	{"files", testExecFiles},
	{"piped input", testExecPipe},
	{"terminal", testExecTerminal},
	{"detached", testExecDetached},
	{"what cannot run", testExecFailures},
	{"health", testHealth},
}

// sleeper is a container whose guest sleeps.
func (e *engine) sleeper(t *testing.T, options ...string) string {
	t.Helper()
	id := e.detach(t, options, "sleep")
	e.awaitLog(t, id, "sleeping")
	return id
}

func testExecSettings(t *testing.T, e *engine) {
	id := e.sleeper(t, "-e", "A=from the container")
	if out := e.Run(t, "exec", id, "/probe.wasm", "env", "A"); out != "from the container" {
		t.Errorf("A=%q", out)
	}
	if out := e.Run(t, "exec", "-e", "A=own", "-w", "/some/where", id, "/probe.wasm", "env", "A", "pwd"); out != "own\n/some/where" {
		t.Errorf("with -e and -w: %q", out)
	}
	if out, code := e.Try(t, "exec", id, "probe.wasm", "exit", "3"); code != 3 {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func testExecFiles(t *testing.T, e *engine) {
	id := e.sleeper(t, "--tmpfs", "/tmp", "-v", t.TempDir()+":/data")
	for _, dir := range []string{"/", "/tmp/", "/data/"} {
		e.Run(t, "exec", id, "/probe.wasm", "write", dir+"file", "text")
		if out := e.Run(t, "exec", id, "/probe.wasm", "cat", dir+"file"); out != "text" {
			t.Errorf("%sfile holds %q", dir, out)
		}
	}
	// Another user may read, and write where everybody may.
	if out := e.Run(t, "exec", "--user", "1000:1000", id, "/probe.wasm", "cat", "/file", "write", "/tmp/theirs", "x"); out != "text" {
		t.Errorf("as another user: %q", out)
	}
	if out, code := e.Try(t, "exec", "--user", "1000:1000", id, "/probe.wasm", "write", "/file", "x"); code == 0 {
		t.Errorf("another user wrote root's file: %s", out)
	}
}

func testExecPipe(t *testing.T, e *engine) {
	id := e.sleeper(t)
	cmd := e.Command(t.Context(), "exec", "-i", id, "/probe.wasm", "copy")
	input := bytes.Repeat([]byte("0123456789abcde\n"), 1<<14)
	cmd.Stdin = bytes.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Equal(out, input) {
		t.Errorf("%v: %d bytes came back of %d", err, len(out), len(input))
	}
}

func testExecTerminal(t *testing.T, e *engine) {
	id := e.sleeper(t)
	terminal, name, err := console.NewPty()
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	user, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := e.Command(context.Background(), "exec", "-it", id, "/probe.wasm", "env", "TERM", "copy")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = user, user, user
	err = cmd.Start()
	user.Close()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var shown screen
	go func() { _, _ = io.Copy(&shown, terminal) }() // ends with an error, as terminals do
	await(t, "the first line", func() bool { return strings.Contains(shown.String(), "xterm") })
	if _, err := io.WriteString(terminal, "typed\r\x04"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("exec -it: %v: %s", err, shown.String())
	}
	await(t, "what was typed", func() bool { return strings.Count(shown.String(), "typed") == 2 })
}

func testExecDetached(t *testing.T, e *engine) {
	id := e.sleeper(t)
	e.Run(t, "exec", "-d", id, "/probe.wasm", "write", "/done", "yes", "sleep")
	await(t, "the file", func() bool {
		out, code := e.Try(t, "exec", id, "/probe.wasm", "cat", "/done")
		return code == 0 && out == "yes"
	})
	if top := e.Run(t, "top", id, "-eo", "pid,comm"); len(strings.Split(top, "\n")) != 3 {
		t.Errorf("top: %s", top)
	}
	e.Run(t, "stop", id)
	if code := e.inspect(t, id, ".State.ExitCode"); code != "143" {
		t.Errorf("exit code %s", code)
	}
}

func testExecFailures(t *testing.T, e *engine) {
	id := e.sleeper(t)
	e.Run(t, "exec", id, "/probe.wasm", "write", "/text", "no module")
	for _, c := range []struct {
		program, words string
		code           int
	}{
		{"/missing.wasm", "no such file or directory", 127},
		{"/text", "exec format error", 128}, // what Docker has no word for
	} {
		if e.set == stock.Debian {
			c.code = 126 // of all that does not start
		}
		if out, code := e.Try(t, "exec", id, c.program); code != c.code || !strings.Contains(out, c.words) {
			t.Errorf("%s: exit code %d, want %d: %s", c.program, code, c.code, out)
		}
	}
	e.Run(t, "pause", id)
	if out, code := e.Try(t, "exec", id, "/probe.wasm", "exit", "0"); code == 0 || !strings.Contains(out, "paused") {
		t.Errorf("in a paused container: exit code %d: %s", code, out)
	}
	e.Run(t, "unpause", id)
	e.Run(t, "exec", id, "/probe.wasm", "exit", "0")
}

// The image has no shell, so the check's words reach the shim as they are only
// in the form of a list, which docker run has no option for.
func testHealth(t *testing.T, e *engine) {
	image := probe(t)
	image.Name = "docker.io/library/checked:1"
	image.Healthcheck = []string{"CMD", "/probe.wasm", "cat", "/fine"}
	e.Run(t, "load", "-i", image.Archive(t))
	id := e.Run(t, "run", "-d", "--runtime=io.containerd.wasmedge.v1", "--platform=wasi/wasm32",
		"--health-interval=200ms", "--health-retries=2", "--health-timeout=20s", image.Name, "sleep")
	e.removeAfter(t, id)
	await(t, "unhealthy", func() bool { return e.inspect(t, id, ".State.Health.Status") == "unhealthy" })
	e.Run(t, "exec", id, "/probe.wasm", "write", "/fine", "yes")
	await(t, "healthy", func() bool { return e.inspect(t, id, ".State.Health.Status") == "healthy" })
	if out := e.Run(t, "ps", "--filter", "id="+id, "--format", "{{.Status}}"); !strings.Contains(out, "(healthy)") {
		t.Errorf("ps: %s", out)
	}
}
