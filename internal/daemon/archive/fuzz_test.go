//go:build linux

package archive

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wherry/internal/wasi/host/tree"
)

// FuzzExtract unpacks hostile archives into a container's files, over an image
// with links that lead everywhere. Neither the image nor anything around it may
// change, and what was unpacked can be packed again.
func FuzzExtract(f *testing.F) {
	link, hard := byte(tar.TypeSymlink), byte(tar.TypeLink)
	f.Add(pack(f, tar.Header{Typeflag: tar.TypeReg, Name: "a/../../b"}).Bytes(), "/", false)
	f.Add(pack(f, tar.Header{Typeflag: link, Name: "l", Linkname: "/"}, tar.Header{Typeflag: tar.TypeReg, Name: "l/x"}).Bytes(), "/", false)
	f.Add(pack(f, tar.Header{Typeflag: tar.TypeReg, Name: "up/canary"}, tar.Header{Typeflag: tar.TypeReg, Name: "abs/canary"}).Bytes(), "/up", true)
	f.Add(pack(f, tar.Header{Typeflag: hard, Name: "h", Linkname: "up/canary"}, tar.Header{Typeflag: tar.TypeReg, Name: "h"}).Bytes(), "/", false)
	f.Add(pack(f, tar.Header{Typeflag: hard, Name: "h", Linkname: "file"}, tar.Header{Typeflag: tar.TypeReg, Name: "h"}).Bytes(), "/", false)
	f.Add(pack(f, tar.Header{Typeflag: tar.TypeReg, Name: "dir"}, tar.Header{Typeflag: tar.TypeDir, Name: "dir/"}, tar.Header{Typeflag: tar.TypeChar, Name: "d"}).Bytes(), "dir/..", false)
	f.Add([]byte("no archive"), "/abs", false)
	f.Fuzz(func(t *testing.T, data []byte, at string, keepKinds bool) {
		outside := t.TempDir()
		image, upper, canary := filepath.Join(outside, "image"), filepath.Join(outside, "upper"), filepath.Join(outside, "canary")
		if err := os.MkdirAll(filepath.Join(image, "dir"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{canary, filepath.Join(image, "file"), filepath.Join(image, "dir", "f")} {
			if err := os.WriteFile(path, []byte("canary"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for name, target := range map[string]string{"up": "..", "abs": outside, "loop": "loop", "out": "../canary"} {
			if err := os.Symlink(target, filepath.Join(image, name)); err != nil {
				t.Fatal(err)
			}
		}
		was := [2]string{state(t, image), state(t, canary)}
		tr, err := tree.New(tree.Config{Root: image, Upper: upper, NoDevices: true})
		if err != nil {
			t.Fatal(err)
		}
		root := tr.Root()
		begun := time.Now()
		_ = Extract(t.Context(), root, at, keepKinds, bytes.NewReader(data)) // what it says does not matter, what it touches does
		var out bytes.Buffer
		if err := Write(t.Context(), root, "/", "", &out); err != nil {
			t.Errorf("what is there now can't be packed: %v", err)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		_, _ = root.Close(), tr.Close()
		entries, err := os.ReadDir(outside)
		if err != nil || len(entries) != 3 {
			t.Errorf("beside the tree: %v %v", entries, err)
		}
		if now := [2]string{state(t, image), state(t, canary)}; now != was {
			t.Errorf("the image or what is around it changed:\n%s\nwas\n%s", now, was)
		}
	})
}

// state is all that can be seen at and below a path: names, kinds, modes, times
// of files, bodies.
func state(t *testing.T, dir string) (all string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		all += p + " " + fi.Mode().String()
		switch {
		case fi.Mode().IsRegular():
			body, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			all += " " + fi.ModTime().String() + " " + string(body)
		case fi.Mode()&os.ModeSymlink != 0:
			body, err := os.Readlink(p)
			if err != nil {
				return err
			}
			all += " " + body
		}
		all += "\n"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
