package files

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func tarOf(t *testing.T, headers ...tar.Header) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestResolve(t *testing.T) {
	tr := New()
	for p, n := range map[string]*Node{
		"d": NewDir(), "d/f": NewFile("f"), "abs": {Type: Link, Target: "/d"}, "rel": {Type: Link, Target: "d/../d/f"},
		"up": {Type: Link, Target: "../../../d"}, "loop": {Type: Link, Target: "loop"}, "gone": {Type: Link, Target: "nowhere/x"}, "d/self": {Type: Link, Target: "."},
	} {
		if err := tr.Put(p, n); err != nil {
			t.Fatal(err)
		}
	}
	for p, want := range map[string]string{
		"/": "", "d/f": "d/f", "abs/f": "d/f", "rel": "d/f", "up/f": "d/f", "../../d/f": "d/f", "d/self/self/f": "d/f",
		"new": "new", "d/new/er": "d/new/er", "abs/new": "d/new", "gone": "nowhere/x",
	} {
		if got, _, err := tr.Resolve(p, true); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", p, got, err, want)
		}
	}
	for _, p := range []string{"loop", "d/f/below", "loop/x"} {
		if got, _, err := tr.Resolve(p, true); err == nil {
			t.Errorf("%s resolved to %q", p, got)
		}
	}
	if got, n, err := tr.Resolve("abs", false); err != nil || got != "abs" || n.Type != Link {
		t.Errorf("abs itself: %q, %v", got, err)
	}
}

func TestReadTarStaysInside(t *testing.T) {
	dir := t.TempDir()
	spool := filepath.Join(dir, "spool")
	if err := os.Mkdir(spool, 0o700); err != nil {
		t.Fatal(err)
	}
	tr, err := ReadTar(context.Background(), tarOf(t,
		tar.Header{Name: "../../escaped", Typeflag: tar.TypeReg, Size: 1},
		tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: dir},
		tar.Header{Name: "link/below", Typeflag: tar.TypeReg, Size: 2},
		tar.Header{Name: "hard", Typeflag: tar.TypeLink, Linkname: "/escaped"},
	), NewSpool(spool))
	if err != nil {
		t.Fatal(err)
	}
	below := Clean(filepath.ToSlash(dir)) + "/below"
	for p, size := range map[string]int64{"escaped": 1, below: 2, "hard": 1} {
		if n, ok := tr.Get(p); !ok || n.Size != size {
			t.Errorf("%s: %+v among %v", p, n, tr.Paths())
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
}

func TestReadTarRefuses(t *testing.T) {
	for want, h := range map[string]tar.Header{
		"special file":  {Name: "dev", Typeflag: tar.TypeChar},
		"which is no":   {Name: "hard", Typeflag: tar.TypeLink, Linkname: "nowhere"},
		"root is no":    {Name: "/", Typeflag: tar.TypeSymlink, Linkname: "x"},
		"special file ": {Name: "pipe", Typeflag: tar.TypeFifo},
	} {
		if _, err := ReadTar(context.Background(), tarOf(t, h), NewSpool(t.TempDir())); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%+v: %v, want %q", h, err, want)
		}
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := ReadTar(ended, tarOf(t, tar.Header{Name: "f", Typeflag: tar.TypeReg}), NewSpool(t.TempDir())); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestChangesOfAnUntouchedFolder(t *testing.T) {
	tr := New()
	for p, n := range map[string]*Node{"d": {Type: Dir, Mode: 0o500}, "d/f": {Type: File, Mode: 0o4755, Size: 0, Open: NewFile("").Open}, "l": {Type: Link, Target: "d"}} {
		tr.Replace(p, n)
	}
	dir := t.TempDir()
	if err := tr.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	if changed, gone, err := tr.Changes(dir); err != nil || len(changed)+len(gone) > 0 {
		t.Errorf("changed %v, gone %v, %v", changed, gone, err)
	}
}

func TestLayerBytesAreTheSame(t *testing.T) {
	write := func(when time.Time) string {
		var b bytes.Buffer
		changed := map[string]*Node{"b": NewFile("b"), "a": NewDir(), "a/x": {Type: Link, Target: "../b"}, "was": NewFile("")}
		if err := WriteLayer(&b, changed, []string{"gone", "gone/below", "was", "was/below", "a/old"}, when); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	first := write(time.Unix(5, 7))
	if write(time.Unix(5, 9)) != first {
		t.Error("the same layer has other bytes")
	}
	var names []string
	for r := tar.NewReader(strings.NewReader(first)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	if want := []string{".wh.gone", "a/", "a/.wh.old", "a/x", "b", "was"}; !slices.Equal(names, want) {
		t.Errorf("the layer has %q, want %q", names, want)
	}
}
