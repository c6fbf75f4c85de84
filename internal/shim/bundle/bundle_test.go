//go:build linux

package bundle

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	want := ExitStatus{Code: 134, Reason: "wasm trap: x", ExitedAt: time.Unix(1, 2).UTC()}
	if err := Write(dir, Exit, want); err != nil {
		t.Fatal(err)
	}
	var got ExitStatus
	if err := Read(dir, Exit, &got); err != nil || got != want {
		t.Errorf("read %+v, %v; want %+v", got, err, want)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("files: %v, %v", names, err)
	}
	if err := Read(dir, Ports, &got); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file gave %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, Exit), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Read(dir, Exit, &got); err == nil || !strings.Contains(err.Error(), Exit) {
		t.Errorf("a damaged file gave %v", err)
	}
	if err := Write(filepath.Join(dir, "gone"), Exit, want); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing bundle gave %v", err)
	}
}

// Bundles lie deep, and a socket's address is short.
func TestSocketsWithLongPaths(t *testing.T) {
	for _, depth := range []int{1, 4} {
		dir := filepath.Join(t.TempDir(), strings.Repeat(strings.Repeat("x", 60)+"/", depth))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, Attach)
		for range 2 { // the second replaces what the first left
			l, err := ListenUnix(path)
			if err != nil {
				t.Fatal(err)
			}
			st, err := os.Stat(path)
			if err != nil || st.Mode().Perm() != 0o600 {
				t.Errorf("mode = %v, %v", st.Mode(), err)
			}
			c, err := DialUnix(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			s, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			if _, err := s.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("read gave %v", err)
			}
			s.Close()
			l.Close()
		}
		if _, err := DialUnix(t.Context(), path+"x"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a missing socket gave %v", err)
		}
	}
}

func TestCheckAnnotation(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{Listen, Preopen, ""}, {Listen, "yes", "must be preopen"},
		{Connect, "none", ""}, {Connect, " ", "is empty"},
		{Files, NoFiles, ""}, {Files, "", "must be none"},
		{"wherry.fils", "none", "unknown"}, {"org.example", "", ""},
	} {
		err := CheckAnnotation(c.name, c.value)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s=%q: %v, want %q", c.name, c.value, err, c.want)
		}
	}
}
