package cli

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"archive/tar"
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
	if got := shortID("sha256:" + strings.Repeat("4c1e", 16)); got != "sha256:4c1e4c1e4c1e" {
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

func tarOf(t *testing.T, files ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		data := files[i+1].([]byte)
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: files[i].(string), Size: int64(len(data)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestLook(t *testing.T) {
	layer := tarOf(t, "other.wasm", []byte("\x00asm\x01\x00\x00\x00"), "bin/app.wasm", listener)
	for _, tt := range []struct {
		name, program string
		archive       []byte
		may           string
		none          bool
	}{
		{name: "plain layer", program: "/bin/app.wasm", archive: tarOf(t, "index.json", []byte("{}"), "blobs/sha256/1", layer), may: "listen,read clock"},
		{name: "zipped layer", program: "bin/app.wasm#run", archive: tarOf(t, "blobs/sha256/1", zipped(t, layer)), may: "listen,read clock"},
		{name: "artifact", archive: tarOf(t, "blobs/sha256/1", listener), may: "listen,read clock"},
		{name: "the later layer", program: "/a", archive: tarOf(t, "1", tarOf(t, "a", listener), "2", tarOf(t, "a", []byte("\x00asm\x01\x00\x00\x00"))), may: ""},
		{name: "no such file", program: "/x", archive: tarOf(t, "1", layer), none: true},
		{name: "not Wasm", program: "/a", archive: tarOf(t, "1", tarOf(t, "a", []byte("#!/bin/sh"))), none: true},
		{name: "a blob that is no tar", program: "/a", archive: tarOf(t, "1", bytes.Repeat([]byte("x"), 2000)), none: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, err := look(bytes.NewReader(tt.archive), tt.program)
			if err != nil {
				t.Fatal(err)
			}
			m := found.program
			if (m == nil) != tt.none {
				t.Fatalf("found %v, want none: %v", m, tt.none)
			}
			if m != nil && strings.Join(m.Capabilities(), ",") != tt.may {
				t.Errorf("may %v, want %s", m.Capabilities(), tt.may)
			}
		})
	}
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
	found, err := look(bytes.NewReader(first), "/app.wasm")
	if err != nil || found.program == nil || len(found.program.Imports) != 2 || found.size != int64(len(listener)) {
		t.Errorf("the image: %+v, %v", found, err)
	}
	if !bytes.Contains(first, []byte(`"io.containerd.image.name":"localhost/app:1"`)) || !bytes.Contains(first, []byte(`"Entrypoint":["/app.wasm"]`)) {
		t.Error("the image has neither its name nor its program")
	}
	if _, err := io.ReadAll(fileImage("x:1", "x", bytes.NewReader(listener), int64(len(listener))+1)); err == nil {
		t.Error("a file that shrank must be an error")
	}
}
