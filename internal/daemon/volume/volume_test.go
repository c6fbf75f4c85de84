package volume

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(filepath.Join(dir, "volumes"), filepath.Join(dir, "tmp"), func(name string, err error) { t.Errorf("%s: %v", name, err) })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLife(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	v, made, err := s.Acquire("data", "box", nil, map[string]string{"a": "b"})
	if err != nil || !made || v.Anonymous() {
		t.Fatalf("%+v %v %v", v, made, err)
	}
	if _, made, err := s.Acquire("data", "", nil, nil); err != nil || made {
		t.Errorf("made again: %v %v", made, err)
	}
	anonymous, _, err := s.Acquire("", "box", nil, nil)
	if err != nil || len(anonymous.Name) != 64 || !anonymous.Anonymous() {
		t.Errorf("%+v %v", anonymous, err)
	}
	if err := os.WriteFile(filepath.Join(v.Path, "f"), []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := s.Size(v); n != 5 {
		t.Errorf("size %d, want 5", n)
	}
	if err := s.Remove("data"); !errdefs.IsConflict(err) || err.Error() != "remove data: volume is in use - [box]" {
		t.Errorf("removing a volume in use: %v", err)
	}

	s = open(t, dir) // after a restart holds are told anew
	if v, err := s.Get("data"); err != nil || v.Labels["a"] != "b" || v.CreatedAt.IsZero() {
		t.Errorf("%+v %v", v, err)
	}
	s.Hold("data", "box")
	if err := s.Remove("data"); !errdefs.IsConflict(err) {
		t.Errorf("removing a held volume: %v", err)
	}
	s.Release("box")
	if err := s.Remove("data"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "volumes", "data")); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
	if err := s.Remove("data"); !errdefs.IsNotFound(err) {
		t.Errorf("removing it twice: %v", err)
	}
}

func TestOptions(t *testing.T) {
	s := open(t, t.TempDir())
	host := t.TempDir()
	bind := map[string]string{"type": "none", "o": "bind", "device": host}
	v, _, err := s.Acquire("bound", "", bind, nil)
	if err != nil || v.Path != host || s.Size(v) != 0 {
		t.Fatalf("%+v %v", v, err)
	}
	if err := s.Remove("bound"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(host); err != nil {
		t.Errorf("the host's folder was removed with the volume: %v", err)
	}
	for name, tt := range map[string]struct {
		options map[string]string
		words   string
	}{
		"bad..name/": {nil, "includes invalid characters"},
		"x":          {nil, "is too short"},
		"nfs":        {map[string]string{"type": "nfs", "device": ":/x"}, "needs mount(2), which is not built"},
		"odd":        {map[string]string{"colour": "red"}, `invalid option "colour"`},
		"relative":   {map[string]string{"o": "bind", "device": "x"}, "no absolute path"},
	} {
		if _, _, err := s.Acquire(name, "", tt.options, nil); err == nil || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v, want %q", name, err, tt.words)
		}
	}
	if n := len(s.List()); n != 0 {
		t.Errorf("%d refused volumes are left", n)
	}
	if _, _, err := s.Acquire("plain", "", nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Acquire("plain", "", bind, nil); !errdefs.IsConflict(err) {
		t.Errorf("other options for a volume that exists: %v", err)
	}
}
