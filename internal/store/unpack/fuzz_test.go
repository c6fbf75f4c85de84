package unpack

import (
	"archive/tar"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fuzzLimits keep one run short.
var fuzzLimits = Limits{Bytes: 1 << 20, Entries: 200, Free: 1 << 20, Names: 64 << 10}

// outside is what lies around the folder that archives are unpacked into: what
// a hostile one would find first if it got out.
type outside struct {
	dir string // the folder to unpack into
	was string // what lay around it
}

func newOutside(t testing.TB) outside {
	t.Helper()
	outer := t.TempDir()
	o := outside{dir: filepath.Join(outer, "image")}
	for _, dir := range []string{o.dir, filepath.Join(outer, "x")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"outside", "x/a", "passwd"} {
		if err := os.WriteFile(filepath.Join(outer, file), []byte("canary"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o.was = o.state(t)
	return o
}

// state is everything that can be seen around the folder: names, kinds, modes,
// times, contents and the number of names of each file.
func (o outside) state(t testing.TB) string {
	t.Helper()
	outer := filepath.Dir(o.dir)
	var all string
	err := filepath.WalkDir(outer, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		if p == o.dir {
			all += "image " + fi.Mode().String() + "\n"
			return fs.SkipDir
		}
		all += p + " " + fi.Mode().String() + " " + fi.ModTime().Format(time.RFC3339Nano) + links(fi)
		if d.Type().IsRegular() {
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			all += " " + string(b)
		}
		all += "\n"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// check holds that nothing around the folder changed, and that what is in it
// keeps the limits and is nothing but files, folders and links.
func (o outside) check(t testing.TB, limits Limits) {
	t.Helper()
	if now := o.state(t); now != o.was {
		t.Errorf("around the image:\n%s\nit was:\n%s", now, o.was)
	}
	var size int64
	entries := 0
	err := filepath.WalkDir(o.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		if entries++; !d.IsDir() && !fi.Mode().IsRegular() && d.Type() != fs.ModeSymlink {
			t.Errorf("%s is a %v", p, fi.Mode())
		}
		if fi.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0 {
			t.Errorf("%s has the mode %v", p, fi.Mode())
		}
		if fi.Mode().IsRegular() {
			size += fi.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Names of one file by hard links each show its size.
	if entries > limits.Entries+1 || size > limits.Bytes*int64(limits.Entries) {
		t.Errorf("%d entries of %d bytes", entries, size)
	}
}

// FuzzLayers unpacks hostile archives, one over the other.
func FuzzLayers(f *testing.F) {
	link, hard, dir := byte(tar.TypeSymlink), byte(tar.TypeLink), byte(tar.TypeDir)
	f.Add(archive(f, ent{name: "a/b", body: "x"}, ent{name: "a/.wh.b"}), archive(f, ent{name: "c", kind: link, link: "../../x"}, ent{name: "c/d"}))
	f.Add(archive(f, ent{name: "../x"}), archive(f, ent{name: "a", kind: hard, link: "/etc/passwd"}))
	f.Add(archive(f, ent{name: "up", kind: link, link: ".."}), archive(f, ent{name: "up/outside", body: "x"}, ent{name: "up/.wh.image"}))
	f.Add(gz(f, archive(f, ent{name: "x"})), zst(f, archive(f, ent{name: "a", kind: dir, mode: 0}, ent{name: "a/.wh..wh..opq"})))
	f.Add(archive(f, ent{name: "x", kind: link, link: "../x"}, ent{name: "x", kind: dir, mode: 0o777}), archive(f, ent{name: "x/.wh..wh..opq"}, ent{name: ".wh.x"}))
	f.Add(archive(f, ent{name: "o", kind: link, link: "../outside"}, ent{name: "o", body: "x"}), archive(f, ent{name: "h", kind: hard, link: "o"}, ent{name: "h", body: "y"}))
	f.Add(archive(f, ent{name: "null", kind: tar.TypeChar}, ent{name: "b", kind: tar.TypeBlock}, ent{name: "p", kind: tar.TypeFifo}), sparse(f, "s", 1<<12))
	f.Add(sparse(f, "s", 1<<40), paxed(f, "p", map[string]string{"path": "../../outside", "size": "9", "GNU.sparse.major": "1", "GNU.sparse.minor": "0"}))
	f.Add(paxed(f, "p", map[string]string{"linkpath": "../outside", "mtime": "-9999999999.5"}), archive(f, ent{name: strings.Repeat("n", 300)}))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		o := newOutside(t)
		ls := layers(one, two)
		ls[0].DiffID, ls[1].DiffID = "", ""
		begun := time.Now()
		res, err := Layers(context.Background(), o.dir, ls, fuzzLimits)
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		if err == nil && (res.Size > fuzzLimits.Bytes || res.Entries > fuzzLimits.Entries) {
			t.Errorf("unpacked to %+v", res)
		}
		if err == nil {
			for p := range res.Digests {
				if fi, err := os.Lstat(filepath.Join(o.dir, p)); err != nil || !fi.Mode().IsRegular() {
					t.Errorf("the module %s is not there: %v", p, err)
				}
			}
		}
		o.check(t, fuzzLimits)
	})
}

// FuzzEntries is FuzzLayers for archives that are always well formed, so that
// all of the fuzzer's wit goes into what they ask for: each entry is a kind, a
// name and where a link leads, in pieces of names that exist.
func FuzzEntries(f *testing.F) {
	f.Add([]byte("\x01\x00\x05\x02\x01\x09\x00\x10\x00"))
	f.Add([]byte("\x02\x03\x33\x00\x34\x00\x03\x14\x33"))
	f.Add([]byte("\x05\x03\x33\x01\x34\x00\x06\x14\x33\x07\x03\x00"))
	pieces := []string{"a", "b", "..", ".", "", "x", "image", "outside", ".wh.a", ".wh.x", ".wh..wh..opq", "/", "passwd", "a/b", "../x", ".wh..."}
	kinds := []byte{tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeChar, tar.TypeSymlink, tar.TypeReg, tar.TypeLink}
	two := func(b byte) string { return pieces[b&15] + "/" + pieces[b>>4] }
	f.Fuzz(func(t *testing.T, program []byte) {
		var lower, upper []ent
		for i := 0; i+2 < len(program) && i < 120; i += 3 {
			e := ent{name: two(program[i+1]), kind: kinds[program[i]&7], link: two(program[i+2]), mode: int64(program[i]) << 4}
			if e.kind != tar.TypeDir {
				e.name = strings.TrimRight(e.name, "/")
			}
			if e.name == "" {
				e.name = "x"
			}
			if e.kind == tar.TypeReg {
				e.kind, e.body, e.link = 0, two(program[i+2]), ""
			}
			if e.kind == tar.TypeDir {
				e.link = ""
			}
			if program[i]&8 == 0 {
				lower = append(lower, e)
			} else {
				upper = append(upper, e)
			}
		}
		o := newOutside(t)
		_, err := Layers(context.Background(), o.dir, layers(archive(t, lower...), archive(t, upper...)), fuzzLimits)
		o.check(t, fuzzLimits)
		if err != nil && len(err.Error()) > 2000 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	})
}
