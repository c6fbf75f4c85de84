package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/jsonstream"
)

func TestHumanSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 2_700_000: "2.7 MB", 99_940: "99.9 kB", 812_345: "812 kB", 75_000_000: "75.0 MB", 1_500_000_000: "1.5 GB",
	} {
		if got := humanSize(n); got != want {
			t.Errorf("humanSize(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestNamesInTheSummary(t *testing.T) {
	for in, want := range map[string]string{
		"hello": "hello:latest", "a/b:1": "a/b:1", "docker.io/library/x": "x:latest", "host:5000/x": "host:5000/x:latest",
	} {
		if got := withLatest(in); got != want {
			t.Errorf("withLatest(%q) = %q, want %q", in, got, want)
		}
	}
	if got := shortID("sha256:" + strings.Repeat("4c1e", 16)); got != "sha256:4c1e4c1e4c1e…" {
		t.Errorf("shortID: %s", got)
	}
	for in, want := range map[string]string{
		"app.wasm": "app", "My App_2.wat": "my-app-2", "ünï.wasm": "n", "---.wasm": "module", "x.y.wasm": "x-y",
	} {
		if got := repository(in); got != want {
			t.Errorf("repository(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"/run/user/7/s": "/run/user/7/s", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$x": "'$x'"} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
}

// listener is a module that imports sock_listen and clock_time_get.
var listener = func() []byte {
	imp := func(name string) string {
		const from = "wasi_snapshot_preview1"
		return string(rune(len(from))) + from + string(rune(len(name))) + name + "\x00\x00"
	}
	imports := "\x02" + imp("sock_listen") + imp("clock_time_get")
	return []byte("\x00asm\x01\x00\x00\x00" +
		"\x01\x04\x01\x60\x00\x00" + // type 0: () -> ()
		"\x02" + string([]byte{byte(len(imports))}) + imports)
}()

func TestSummary(t *testing.T) {
	id := "sha256:0d7e968334cf" + strings.Repeat("0", 52)
	for want, b := range map[string]built{
		"sha256:0d7e968334cf… 2.5 MB; may: listen, read clock":       {ID: id, Size: 2_490_000, Program: "/app.wasm", Capabilities: []string{"listen", "read clock"}},
		"sha256:0d7e968334cf… 1.0 kB; may: nothing beyond its files": {ID: id, Size: 1000, Program: "app.wasm"},
		"sha256:0d7e968334cf… 7 B; it has no program yet":            {ID: id, Size: 7},
	} {
		if got := b.summary(nil); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if got, want := (built{ID: id, Program: "x"}).summary([]string{"hello", "a/b:1"}), "hello:latest a/b:1 sha256:0d7e968334cf… 0 B; may: nothing beyond its files"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What passes is gone at the end, what users should know stays; without a
// terminal all of it stays, as text alone.
func TestSteps(t *testing.T) {
	say := func(s *steps) {
		t.Helper()
		_, err := s.Write([]byte("compiling x: go build\ngo: downloading y\nmain.c:1: warning: z\n"))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []jsonstream.Message{
			{Stream: "Step 1/2 : FROM x\n"},
			{ID: "abc", Status: "Downloading", Progress: &jsonstream.Progress{Current: 1000, Total: 2000}},
			{ID: "abc", Status: "Download complete"},
			{Stream: "Step 2/2 : RUN y\nfrom the "}, {Stream: "guest\n"},
			{Stream: "Successfully built 1234\n"}, {Stream: "no newline"},
		} {
			if err := s.message(m, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.end(); err != nil {
			t.Fatal(err)
		}
	}
	var plain, live bytes.Buffer
	say(&steps{out: &plain})
	if want := "compiling x: go build\ngo: downloading y\nmain.c:1: warning: z\nStep 1/2 : FROM x\nabc: Download complete\n" +
		"Step 2/2 : RUN y\nfrom the guest\nSuccessfully built 1234\nno newline\n"; plain.String() != want {
		t.Errorf("plain: %q, want %q", plain.String(), want)
	}
	say(&steps{out: &live, width: 20})
	if !strings.Contains(live.String(), "abc: Downloading 1.") || strings.Contains(live.String(), "1.0 kB of 2.0 kB") {
		t.Errorf("a step is shown as long as the terminal is wide: %q", live.String())
	}
	if got, want := screen(live.String()), "main.c:1: warning: z\nfrom the guest\nno newline\n"; got != want {
		t.Errorf("on the terminal stays %q, want %q", got, want)
	}
}

// screen is what stays of text on a terminal that knows to erase a line.
func screen(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if at := strings.LastIndex(line, "\r\x1b[K"); at >= 0 {
			lines[i] = line[at+len("\r\x1b[K"):]
		}
	}
	return strings.Join(lines, "\n")
}

func TestFileImage(t *testing.T) {
	var first []byte
	for range 2 {
		archive := fileImage("localhost/app:1", "app.wasm", bytes.NewReader(listener), int64(len(listener)))
		b, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(first, b) {
			t.Error("the same file gives other bytes")
		}
		first = b
	}
	if !bytes.Contains(first, []byte(`"io.containerd.image.name":"localhost/app:1"`)) || !bytes.Contains(first, []byte(`"Entrypoint":["/app.wasm"]`)) {
		t.Error("the image has neither its name nor its program")
	}
	if _, err := io.ReadAll(fileImage("x:1", "x", bytes.NewReader(listener), int64(len(listener))+1)); err == nil {
		t.Error("a file that shrank must be an error")
	}
}
