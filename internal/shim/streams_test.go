//go:build linux

package shim_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"wherry/internal/shim/bundle"
)

func TestAttach(t *testing.T) {
	b := newBox(t, "lines")
	b.spec.Annotations[bundle.Stdin] = bundle.StdinOnce
	b.create()
	var conns []*net.UnixConn
	for range 3 {
		c, err := b.shim.Attach(b.context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	if err := b.shim.Start(b.context()); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conns[1], "one\ntwo\n"); err != nil {
		t.Fatal(err)
	}
	if err := conns[1].CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if st := b.wait(); st.Code != 0 {
		t.Errorf("exit = %+v", st)
	}
	for i, c := range conns {
		got, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		if text, want := demultiplex(t, got), "got one\ngot two\n"; text != want {
			t.Errorf("client %d got %q, want %q", i, text, want)
		}
	}
}

// demultiplex takes Docker's frames apart and gives the content of stdout.
func demultiplex(t *testing.T, data []byte) string {
	t.Helper()
	var text strings.Builder
	for len(data) > 0 {
		if len(data) < 8 || data[1] != 0 || data[2] != 0 || data[3] != 0 {
			t.Fatalf("bad frame: %q", data)
		}
		n := int(data[4])<<24 | int(data[5])<<16 | int(data[6])<<8 | int(data[7])
		if data[0] == 1 {
			text.Write(data[8 : 8+n])
		}
		data = data[8+n:]
	}
	return text.String()
}

// A client that does not read gets everything nevertheless, and does not hold
// up the container's end.
func TestSlowClient(t *testing.T) {
	const lines = 30_000 // 3 MB: more than a socket holds, less than a queue
	b := newBox(t, "flood", strconv.Itoa(lines)).create()
	c, err := b.shim.Attach(b.context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := b.shim.Start(b.context()); err != nil {
		t.Fatal(err)
	}
	if st := b.wait(); st.Code != 0 {
		t.Errorf("exit = %+v", st)
	}
	if _, err := b.shim.Delete(b.context()); err != nil {
		t.Fatal(err)
	}
	if err := b.shim.Shutdown(b.context()); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(demultiplex(t, got)); n != lines*100 {
		t.Errorf("the client got %d bytes, want %d", n, lines*100)
	}
	if n := len(b.logged("stdout")); n != lines*100 {
		t.Errorf("the log has %d bytes, want %d", n, lines*100)
	}
}

func TestTerminal(t *testing.T) {
	b := newBox(t, "lines")
	b.spec.Process.Terminal = true
	b.spec.Annotations[bundle.Stdin] = bundle.StdinOpen
	b.create()
	c, err := b.shim.Attach(b.context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := b.shim.Resize(b.context(), 80, 24); err != nil {
		t.Errorf("resize: %v", err)
	}
	if err := b.shim.Start(b.context()); err != nil {
		t.Fatal(err)
	}
	// A line, and the terminal's end of input.
	if _, err := io.WriteString(c, "hi\n\x04"); err != nil {
		t.Fatal(err)
	}
	if st := b.wait(); st.Code != 0 {
		t.Errorf("exit = %+v", st)
	}
	data, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	// The echo comes first, and the terminal ends lines its own way.
	if got, want := demultiplex(t, data), "hi\r\n"; !strings.HasPrefix(got, want) || !strings.Contains(got, "got hi\r\n") {
		t.Errorf("the terminal showed %q", got)
	}
}

// Streams as containerd gives them: named pipes, whose reader may come late.
func TestPipes(t *testing.T) {
	b := newBox(t, "cat")
	for _, name := range []string{"in", "out", "err"} {
		if err := unix.Mkfifo(filepath.Join(b.dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.start()
	if err := b.createWith("in", "out", "err"); err != nil {
		t.Fatal(err)
	}
	if err := b.shim.Start(b.context()); err != nil {
		t.Fatal(err)
	}
	in, err := os.OpenFile(filepath.Join(b.dir, "in"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, "through pipes\n"); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out, err := os.Open(filepath.Join(b.dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	stderr, err := os.Open(filepath.Join(b.dir, "err"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	// The input ends by CloseIO, not when its writer goes.
	if err := b.shim.CloseStdin(b.context()); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(out)
	if err != nil || string(got) != "through pipes\n" {
		t.Errorf("stdout = %q, %v", got, err)
	}
	if got, err := io.ReadAll(stderr); err != nil || string(got) != "end of input\n" {
		t.Errorf("stderr = %q, %v", got, err)
	}
	if st := b.wait(); st.Code != 0 {
		t.Errorf("exit = %+v", st)
	}
}
