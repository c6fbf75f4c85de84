package durable

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, text := range []string{"one", "two"} {
		if err := WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil || string(b) != text {
			t.Errorf("%q %v", b, err)
		}
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("mode %v %v", st.Mode(), err)
	}
	// A folder in the file's place makes the rename fail: nothing is left.
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "d", "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(filepath.Join(dir, "d"), []byte("x"), 0o600); err == nil {
		t.Error("a folder was replaced by a file")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left: %v %v", entries, err)
	}
}

func TestDiscardAndEmpty(t *testing.T) {
	dir := t.TempDir()
	trash := filepath.Join(dir, "trash")
	if err := Empty(trash); err != nil { // makes it
		t.Fatal(err)
	}
	// A folder that its owner forbade himself.
	shut := filepath.Join(dir, "box", "shut")
	if err := os.MkdirAll(filepath.Join(shut, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(shut, 0); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing
		if err := Discard(filepath.Join(dir, "box"), trash); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(trash, "gone-1", "d"), 0o700); err != nil { // a crash left it
		t.Fatal(err)
	}
	if err := Empty(trash); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{trash, dir} {
		entries, err := os.ReadDir(d)
		if err != nil || (d == trash && len(entries) != 0) || (d == dir && len(entries) != 1) {
			t.Errorf("in %s: %v %v", d, entries, err)
		}
	}
}
