//go:build linux && daemons

package stock

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/containerd/console"
)

var streamTests = []subtest{
	{"piped input", testPipe},
	{"much output", testFlood},
	{"terminal", testTerminal},
}

func testPipe(t *testing.T, e *engine) {
	input := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16) // more than pipes hold
	cmd := e.Command(t.Context(), runArgs(opts("--rm", "-i"), "sum")...)
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.CombinedOutput()
	if want := fmt.Sprintf("%d %x\n", len(input), sha256.Sum256(input)); err != nil || string(out) != want {
		t.Errorf("%v: got %q, want %q", err, out, want)
	}
}

func testFlood(t *testing.T, e *engine) {
	id := e.detach(t, nil, "flood", "20000")
	if code := e.Run(t, "wait", id); code != "0" {
		t.Errorf("exit code %s", code)
	}
	if n := len(e.Run(t, "logs", id)); n != 20000*100-1 {
		t.Errorf("logs have %d bytes", n)
	}
}

// screen collects what a terminal shows.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func testTerminal(t *testing.T, e *engine) {
	const id = "on-a-terminal"
	cmd := e.Command(context.Background(), runArgs(opts("--rm", "-it", "--name", id), "env", "TERM", "copy")...)
	terminal, shown, ended := onTerminal(t, cmd)
	e.removeAfter(t, id)
	await(t, "the guest's first line", func() bool { return strings.Contains(shown.String(), "xterm") })

	// The size that the guest's terminal has.
	size := func() console.WinSize {
		f, err := os.OpenFile("/proc/"+strconv.Itoa(e.pid(t, id))+"/fd/1", os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c, err := console.ConsoleFromFile(f)
		if err != nil {
			t.Fatal(err)
		}
		size, err := c.Size()
		if err != nil {
			t.Fatal(err)
		}
		return size
	}
	await(t, "the terminal's size", func() bool { return size() == console.WinSize{Height: 30, Width: 100} })
	if err := terminal.Resize(console.WinSize{Height: 40, Width: 120}); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(sigwinch); err != nil { // it is in no foreground group
		t.Fatal(err)
	}
	await(t, "the terminal's new size", func() bool { return size() == console.WinSize{Height: 40, Width: 120} })

	if _, err := io.WriteString(terminal, "typed\r"); err != nil {
		t.Fatal(err)
	}
	// What is typed is echoed, and then printed by the guest.
	await(t, "what was typed, twice", func() bool { return strings.Count(shown.String(), "typed\r\n") == 2 })
	if _, err := io.WriteString(terminal, "\x04"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("docker run -it: %v: %s", err, shown.String())
	}
}
