//go:build linux

package tree

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Whatever a guest does, the image stays as it is, and a restart shows what
// the guest saw.
func TestCopyUp(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		e := newEnv(t, Config{}, "etc/conf", "etc/other", "lib/deep/er/x", "l -> etc/conf")
		before := snapshot(t, e.root)

		was, _ := e.StatAt("etc/conf", false)
		wasDir, _ := e.StatAt("etc", false)
		old := e.file("etc/conf", OpenFlags{Read: true})
		defer old.Close()
		dir := e.dir("etc")
		defer dir.Close()
		f := e.file("l", OpenFlags{Write: true, Append: true, Follow: true})
		if _, err := unix.Write(f.FD(), []byte("+more")); err != nil {
			t.Fatal(err)
		}
		if st, err := f.Stat(); err != nil || st.Ino != was.Ino || st.Dev != was.Dev {
			t.Errorf("copied file is %d, was %d (%v)", st.Ino, was.Ino, err)
		}
		f.Close()
		if got := e.read("etc/conf"); got != "etc/conf+more" {
			t.Errorf("after append: %q", got)
		}
		is, _ := e.StatAt("etc/conf", false)
		isDir, _ := e.StatAt("etc", false)
		if is.Ino != was.Ino || is.Dev != was.Dev || isDir.Ino != wasDir.Ino || isDir.Dev != wasDir.Dev {
			t.Errorf("numbers changed: %+v %+v, were %+v %+v", is, isDir, was, wasDir)
		}
		if got := readFD(t, old.FD()); got != "etc/conf" {
			t.Errorf("the file opened before shows %q", got)
		}
		// A folder opened before sees what came into being through another.
		e.write("etc/new", "n")
		if _, err := dir.StatAt("new", false); err != nil {
			t.Errorf("through the folder opened before: %v", err)
		}
		e.write("lib/deep/er/y", "y")
		e.write("lib/deep/er/x", "cut")
		if got := e.read("lib/deep/er/x"); got != "cut" {
			t.Errorf("after truncating: %q", got)
		}
		for range 2 {
			if got := e.names("etc"); got != "conf new other" {
				t.Errorf("entries of etc: %s", got)
			}
			if got := e.names("lib/deep/er"); got != "x y" {
				t.Errorf("entries of er: %s", got)
			}
			e.reopen()
		}
		if got, want := e.changes(), "C /etc, C /etc/conf, A /etc/new, C /lib, C /lib/deep, C /lib/deep/er, C /lib/deep/er/x, A /lib/deep/er/y"; got != want {
			t.Errorf("changes: %s\nwant %s", got, want)
		}
		if snapshot(t, e.root) != before {
			t.Error("the image was changed")
		}
	})
}

func TestWhiteouts(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		e := newEnv(t, Config{}, "a/one", "a/two", "a/sub/x", "b/.wh.one", "keep")
		before := snapshot(t, e.root)
		e.want(e.Unlink("a/one"), nil, "unlink")
		e.want(e.Unlink("a/one"), unix.ENOENT, "unlink again")
		_, err := e.StatAt("a/one", false)
		e.want(err, unix.ENOENT, "stat of the removed")
		_, err = e.Open("a/one", OpenFlags{Read: true})
		e.want(err, unix.ENOENT, "open of the removed")
		if got := e.names("a"); got != "sub two" {
			t.Errorf("after unlink: %s", got)
		}
		e.write("a/one", "again")
		e.want(e.Unlink("a/one"), nil, "unlink of what was made anew")
		e.want(e.Rmdir("a"), unix.ENOTEMPTY, "rmdir too early")
		e.want(e.Unlink("a/sub/x"), nil, "unlink x")
		e.want(e.Rmdir("a/sub"), nil, "rmdir of an emptied folder")
		e.want(e.Unlink("a/two"), nil, "unlink two")
		held := e.dir("a")
		defer held.Close()
		e.want(e.Rmdir("a"), nil, "rmdir")
		if _, err := held.Open("new", OpenFlags{Create: true, Write: true}); err != unix.ENOENT {
			t.Errorf("making a file in a removed folder: %v", err)
		}
		_, err = held.Entries()
		e.want(err, unix.ENOENT, "entries of a removed folder")
		e.reopen()
		if got := e.names("."); got != "b keep" {
			t.Errorf("after restart: %s", got)
		}
		// Made anew, the folder does not show the image's.
		e.want(e.Mkdir("a"), nil, "mkdir")
		if got := e.names("a"); got != "" {
			t.Errorf("a new folder shows %s", got)
		}
		e.write("a/two", "mine")
		// Names that other designs reserve are the guest's own.
		e.write(".wh.keep", "x")
		e.write("b/.wh..wh..opq", "x")
		e.want(e.Unlink("b/.wh.one"), nil, "unlink .wh.one")
		if got := e.names("b"); got != ".wh..wh..opq" {
			t.Errorf("entries of b: %s", got)
		}
		e.reopen()
		if got := e.names(".") + "|" + e.names("a") + "|" + e.read("a/two"); got != ".wh.keep a b keep|two|mine" {
			t.Errorf("after restart: %s", got)
		}
		if got, want := e.changes(), "A /.wh.keep, C /a, D /a/one, D /a/sub, C /a/two, C /b, A /b/.wh..wh..opq, D /b/.wh.one"; got != want {
			t.Errorf("changes: %s\nwant %s", got, want)
		}
		if snapshot(t, e.root) != before {
			t.Error("the image was changed")
		}
	})
}

func TestRename(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		e := newEnv(t, Config{}, "a/x", "a/sub/y", "a/sub/gone", "b/x", "empty/", "full/f", "l -> a/x", "f")
		before := snapshot(t, e.root)
		mv := func(old, new string) error { return e.Rename(old, e.Dir, new) }
		e.want(mv("none", "n"), unix.ENOENT, "nothing")
		e.want(mv("a", "a/sub/in"), unix.EINVAL, "into itself")
		e.want(mv("a", "full"), unix.ENOTEMPTY, "onto a full folder")
		e.want(mv("a", "f"), unix.ENOTDIR, "folder onto a file")
		e.want(mv("f", "a"), unix.EISDIR, "file onto a folder")
		e.want(mv("f", "g/"), unix.ENOTDIR, "file with slash")
		e.want(mv("a/sub", "a"), unix.ENOTEMPTY, "onto its parent")
		e.want(mv(".", "n"), unix.EBUSY, "the folder itself")
		e.want(mv("f", "f"), nil, "onto itself")

		e.want(mv("b/x", "a/x"), nil, "file over a file of the image")
		if e.read("a/x") != "b/x" || e.names("b") != "" {
			t.Errorf("after renaming a file: %q, %q", e.read("a/x"), e.names("b"))
		}
		e.want(mv("l", "l2"), nil, "a link")
		if body, err := e.Readlink("l2"); err != nil || body != "a/x" {
			t.Errorf("renamed link: %q, %v", body, err)
		}
		e.want(e.Unlink("a/sub/gone"), nil, "unlink")
		was, _ := e.StatAt("a", false)
		sub := e.dir("a/sub")
		defer sub.Close()
		e.want(mv("a", "empty"), nil, "folder of the image over an empty one")
		if is, err := e.StatAt("empty", false); err != nil || is.Ino != was.Ino {
			t.Errorf("a renamed folder is %d, was %d: %v", is.Ino, was.Ino, err)
		}
		// A folder held open moves along.
		if f, err := sub.Open("made", OpenFlags{Create: true, Write: true}); err != nil {
			t.Errorf("making a file in a moved folder: %v", err)
		} else {
			f.Close()
		}
		e.want(e.Mkdir("a"), nil, "the old name is free")
		for range 2 {
			if got := e.names(".") + "|" + e.names("a") + "|" + e.names("empty") + "|" + e.names("empty/sub"); got !=
				"a b empty f full l2||sub x|made y" {
				t.Errorf("after renaming: %s", got)
			}
			if e.read("empty/sub/y") != "a/sub/y" || e.read("empty/x") != "b/x" {
				t.Errorf("content: %q %q", e.read("empty/sub/y"), e.read("empty/x"))
			}
			e.reopen()
		}
		e.want(mv("empty/", "again/"), nil, "folder with slashes")
		e.want(e.Rename("again/x", e.dirKept("full"), "x2"), nil, "between folders")
		if got := e.names("full"); got != "f x2" {
			t.Errorf("full: %s", got)
		}
		if snapshot(t, e.root) != before {
			t.Error("the image was changed")
		}
	})
}

// dirKept is dir, closed with the test.
func (e *env) dirKept(path string) *Dir {
	d := e.dir(path)
	e.t.Cleanup(func() { d.Close() })
	return d
}

func TestHardLinks(t *testing.T) {
	e := newEnv(t, Config{}, "f", "d/")
	e.want(e.Link("f", false, e.dirKept("d"), "g"), nil, "link")
	e.write("d/g", "both")
	if e.read("f") != "both" {
		t.Errorf("the other name shows %q", e.read("f"))
	}
	a, _ := e.StatAt("f", false)
	b, _ := e.StatAt("d/g", false)
	if a.Ino != b.Ino || a.Nlink != 2 {
		t.Errorf("two names of one file: %+v %+v", a, b)
	}
	// Two names of one file in the image part when one is written.
	if err := os.Link(filepath.Join(e.root, "f"), filepath.Join(e.root, "f2")); err != nil {
		t.Fatal(err)
	}
	e.write("f2", "alone")
	if e.read("f") != "both" {
		t.Errorf("f shows %q", e.read("f"))
	}
	for _, name := range []string{"f", "f2"} {
		if b, err := os.ReadFile(filepath.Join(e.root, name)); err != nil || string(b) != "f" {
			t.Errorf("%s in the image is %q now (%v)", name, b, err)
		}
	}
}

// Times of a file of the image are set on a copy, also by a descriptor that
// was opened for reading.
func TestTimes(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		e := newEnv(t, Config{}, "dir/f", "g", "l -> g")
		before := snapshot(t, e.root)
		const then = 1_000_000_007_000_000_009
		f := e.file("dir/f", OpenFlags{Read: true})
		defer f.Close()
		if _, err := unix.Seek(f.FD(), 4, unix.SEEK_SET); err != nil {
			t.Fatal(err)
		}
		was, _ := f.Stat()
		e.want(f.SetTimes(Times{Mtim: then, SetMtim: true}), nil, "set by descriptor")
		is, err := f.Stat()
		if err != nil || is.Mtim != then || is.Ino != was.Ino {
			t.Errorf("after setting: %+v, %v", is, err)
		}
		if at, err := e.StatAt("dir/f", false); err != nil || at != is {
			t.Errorf("by path %+v, by descriptor %+v (%v)", at, is, err)
		}
		buf := make([]byte, 8)
		if n, err := unix.Read(f.FD(), buf); err != nil || string(buf[:n]) != "f" {
			t.Errorf("the offset moved: %q, %v", buf[:n], err)
		}
		// A link's own times have no call that takes no path.
		pathless := os.Getenv(childVariable) == "old"
		e.want(e.SetTimesAt("l", false, Times{Mtim: then, SetMtim: true}), map[bool]error{true: unix.EPERM}[pathless], "set on a link")
		if st, _ := e.StatAt("g", false); st.Mtim == then {
			t.Error("the link's target was set")
		}
		if st, _ := e.StatAt("l", false); st.Mtim != then && !pathless {
			t.Errorf("the link was not set: %+v", st)
		}
		e.want(e.SetTimesAt("l", true, Times{Atim: then, SetAtim: true, NowMtim: true}), nil, "set through a link")
		if st, _ := e.StatAt("g", false); st.Atim != then || st.Mtim <= then {
			t.Errorf("through the link: %+v", st)
		}
		d := e.dirKept("dir")
		e.want(d.SetTimes(Times{Mtim: then, SetMtim: true}), nil, "set on a folder")
		if st, _ := e.StatAt("dir", false); st.Mtim != then {
			t.Errorf("folder: %+v", st)
		}
		e.want(e.SetMode("g", true, 0o600), nil, "mode")
		if st, _ := e.StatAt("g", true); st.Mode != 0o600 {
			t.Errorf("mode: %o", st.Mode)
		}
		if snapshot(t, e.root) != before {
			t.Error("the image was changed")
		}
	})
}

func TestReadOnly(t *testing.T) {
	for name, c := range map[string]Config{"no upper": {Upper: "none"}, "read-only": {ReadOnly: true}} {
		t.Run(name, func(t *testing.T) {
			c.Defaults = []DefaultFile{{Path: "/etc/hosts", Data: []byte("h")}}
			e := newEnv(t, c, "f", "d/", "l -> f")
			before := snapshot(t, e.root)
			for what, err := range map[string]error{
				"mkdir": e.Mkdir("n"), "rmdir": e.Rmdir("d"), "unlink": e.Unlink("f"), "symlink": e.Symlink("f", "n"),
				"link": e.Link("f", false, e.Dir, "n"), "rename": e.Rename("f", e.Dir, "n"), "rename dir": e.Rename("d", e.Dir, "n"),
				"times": e.SetTimesAt("f", false, Times{NowMtim: true}), "default": e.Unlink("etc/hosts"),
				"root's times": e.SetTimes(Times{NowMtim: true}),
			} {
				e.want(err, unix.EROFS, what)
			}
			for what, o := range map[string]OpenFlags{"write": {Write: true}, "truncate": {Truncate: true}, "append": {Write: true, Append: true}} {
				for _, name := range []string{"f", "etc/hosts"} {
					_, err := e.Open(name, o)
					e.want(err, unix.EROFS, what+" "+name)
				}
			}
			_, err := e.Open("n", OpenFlags{Create: true})
			e.want(err, unix.EROFS, "create")
			f := e.file("f", OpenFlags{Read: true})
			defer f.Close()
			e.want(f.SetTimes(Times{NowMtim: true}), unix.EROFS, "times by descriptor")
			if e.read("f") != "f" || e.read("etc/hosts") != "h" {
				t.Error("reading failed")
			}
			if snapshot(t, e.root) != before {
				t.Error("the image was changed")
			}
			if _, err := os.Stat(e.upper); !os.IsNotExist(err) {
				t.Errorf("the upper level was made: %v", err)
			}
		})
	}
}
