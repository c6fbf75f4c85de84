//go:build linux

package tree

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// foreignVariable names an image's tree that another user owns, for the run of
// the tests as an ordinary user.
const foreignVariable = "TREE_TEST_FOREIGN"

// foreign is the image's tree: path, owner, mode; folders end in a slash.
var foreign = []struct {
	path string
	uid  int
	mode os.FileMode
}{
	{"etc/", 0, 0o755}, {"etc/passwd", 0, 0o644}, {"etc/shadow", 0, 0o600},
	{"tmp/", 0, 0o777 | os.ModeSticky}, {"tmp/theirs", 0, 0o666}, {"tmp/ours", plainUID, 0o444}, {"tmp/theirdir/", 0, 0o777},
	{"open/", 0, 0o777}, {"open/theirs", 0, 0o644}, {"open/anyone", 0, 0o666}, {"open/suid", 0, 0o666 | os.ModeSetuid},
	{"open/dir/", 0, 0o755}, {"open/dir/file", 0, 0o644}, {"open/full/", 0, 0o777}, {"open/full/anyone", 0, 0o666},
	{"locked/", 0, 0o700}, {"locked/file", 0, 0o666},
	{"home/", plainUID, 0o555}, {"home/file", plainUID, 0o400},
	{"group/", 0, 0o775}, {"var/", 0, 0o755}, {"var/log", 0, 0o666},
}

func buildForeign(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, f := range foreign {
		p := filepath.Join(dir, f.path)
		var err error
		if f.path[len(f.path)-1] == '/' {
			err = os.Mkdir(p, 0o700)
		} else {
			err = os.WriteFile(p, []byte(f.path), 0o600)
		}
		gid := f.uid
		if f.path == "group/" {
			gid = plainUID
		}
		if err == nil {
			err = os.Chown(p, f.uid, gid)
		}
		if err == nil {
			err = os.Chmod(p, f.mode)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// An ordinary user changes of an image that others own what its bits grant,
// although all copies would be the user's own.
func TestForeignImage(t *testing.T) {
	root := os.Getenv(foreignVariable)
	if root == "" {
		if os.Geteuid() != 0 && os.Getenv("CI") != "true" {
			t.Skip("another's files can only be made by root: run the tests as root")
		}
		return // the run as an ordinary user has it
	}
	type fails = error
	none := fails(nil)
	write := OpenFlags{Write: true}
	open := func(path string, o OpenFlags) func(d *Dir) error {
		return func(d *Dir) error {
			n, err := d.Open(path, o)
			if err == nil {
				err = n.Close()
			}
			return err
		}
	}
	times := func(path string, t Times) func(d *Dir) error {
		return func(d *Dir) error { return d.SetTimesAt(path, true, t) }
	}
	byFile := func(path string, t Times) func(d *Dir) error {
		return func(d *Dir) error {
			n, err := d.Open(path, OpenFlags{Read: true})
			if err != nil {
				return err
			}
			defer n.Close()
			return n.SetTimes(t)
		}
	}
	link := func(old, new string) func(d *Dir) error {
		return func(d *Dir) error { return d.Link(old, false, d, new) }
	}
	rename := func(old, new string) func(d *Dir) error {
		return func(d *Dir) error { return d.Rename(old, d, new) }
	}
	unlink := func(path string) func(d *Dir) error { return func(d *Dir) error { return d.Unlink(path) } }
	mkdir := func(path string) func(d *Dir) error { return func(d *Dir) error { return d.Mkdir(path) } }
	rmdir := func(path string) func(d *Dir) error { return func(d *Dir) error { return d.Rmdir(path) } }
	symlink := func(path string) func(d *Dir) error { return func(d *Dir) error { return d.Symlink("x", path) } }
	then := func(first, second func(d *Dir) error) func(d *Dir) error {
		return func(d *Dir) error {
			if err := first(d); err != nil {
				return err
			}
			return second(d)
		}
	}
	explicit, present := Times{SetMtim: true, Mtim: 1}, Times{NowAtim: true, NowMtim: true}
	create := OpenFlags{Write: true, Create: true}
	for _, tt := range []struct {
		what string
		do   func(d *Dir) error
		want error
	}{
		{"read another's file", open("etc/passwd", OpenFlags{Read: true}), none},
		{"read a secret", open("etc/shadow", OpenFlags{Read: true}), unix.EACCES},
		{"write another's file", open("etc/passwd", write), unix.EACCES},
		{"empty another's file", open("etc/passwd", OpenFlags{Truncate: true}), unix.EACCES},
		{"write what anyone may", open("open/anyone", write), none},
		{"write in a folder that is not ours", open("var/log", write), none},
		{"create in /", open("new", create), unix.EACCES},
		{"create in another's folder", open("etc/new", create), unix.EACCES},
		{"create there after a copy", then(open("var/log", write), open("var/new", create)), unix.EACCES},
		{"remove there after a copy", then(open("var/log", write), unlink("var/log")), unix.EACCES},
		{"create where anyone may", open("open/new", create), none},
		{"create as the group", open("group/new", create), none},
		{"create on the way to a mount", open("way/new", create), unix.EACCES},
		{"mkdir in another's folder", mkdir("etc/d"), unix.EACCES},
		{"symlink in another's folder", symlink("etc/l"), unix.EACCES},
		{"link into another's folder", link("open/anyone", "etc/l"), unix.EACCES},
		{"link to what one can't write", link("open/theirs", "open/l"), unix.EPERM},
		{"link to what one can't read", link("etc/shadow", "open/l"), unix.EPERM},
		{"link to what anyone may", link("open/anyone", "open/l"), none},
		{"unlink in another's folder", unlink("etc/passwd"), unix.EACCES},
		{"unlink where anyone may", unlink("open/theirs"), none},
		{"unlink another's in a sticky folder", unlink("tmp/theirs"), unix.EPERM},
		{"after a copy too", then(open("tmp/theirs", write), unlink("tmp/theirs")), unix.EPERM},
		{"unlink one's own in a sticky folder", unlink("tmp/ours"), none},
		{"rmdir in a sticky folder", rmdir("tmp/theirdir"), unix.EPERM},
		{"rmdir in another's folder", rmdir("open/dir"), unix.ENOTEMPTY},
		{"rename in another's folder", rename("etc/passwd", "etc/p"), unix.EACCES},
		{"rename out of another's folder", rename("etc/passwd", "open/p"), unix.EACCES},
		{"rename into another's folder", rename("open/theirs", "etc/p"), unix.EACCES},
		{"rename where anyone may", rename("open/theirs", "open/p"), none},
		{"rename over another's in a sticky folder", rename("open/anyone", "tmp/theirs"), unix.EPERM},
		{"rename a folder with another's files", rename("open/dir", "open/d"), unix.EXDEV},
		{"rename a folder that anyone may change", rename("open/full", "open/f"), none},
		{"move another's folder", rename("open/dir", "group/d"), unix.EACCES},
		{"look into a locked folder", open("locked/file", OpenFlags{Read: true}), unix.EACCES},
		{"create in a locked folder", open("locked/new", create), unix.EACCES},
		{"create in one's own folder", open("home/new", create), none},
		{"write one's own file", open("home/file", write), none},
		{"times of another's file", times("etc/passwd", explicit), unix.EPERM},
		{"times of another's file by descriptor", byFile("etc/passwd", explicit), unix.EPERM},
		{"present times of another's file", times("etc/passwd", present), unix.EACCES},
		{"present times of what anyone may write", times("open/anyone", present), none},
		{"times of what anyone may write", times("open/anyone", explicit), unix.EPERM},
		{"times of another's folder", times("etc", explicit), unix.EPERM},
		{"times of /", times(".", explicit), unix.EPERM},
		{"times of a folder after a copy", then(open("var/log", write), times("var", explicit)), unix.EPERM},
		{"times of one's own", times("home/file", explicit), none},
		{"mode of another's", func(d *Dir) error { return d.SetMode("etc/passwd", true, 0o777) }, unix.EPERM},
		{"write a default file", open("etc/hosts", write), unix.EACCES},
		{"remove a default file", unlink("etc/hosts"), unix.EACCES},
	} {
		t.Run(tt.what, func(t *testing.T) {
			e := &env{t: t, root: root, upper: filepath.Join(t.TempDir(), "upper")}
			e.open(Config{Root: root, Upper: e.upper, Mounts: []Mount{{Target: "/way/m", Source: t.TempDir()}},
				Defaults: []DefaultFile{{Path: "/etc/hosts", Data: []byte("x")}}})
			e.want(tt.do(e.Dir), tt.want, tt.what)
		})
	}
	t.Run("rights of another are not handed on", func(t *testing.T) {
		e := &env{t: t, root: root, upper: filepath.Join(t.TempDir(), "upper")}
		e.open(Config{Root: root, Upper: e.upper})
		e.want(open("open/suid", write)(e.Dir), nil, "write")
		info, err := os.Stat(filepath.Join(e.upper, "data/open/suid"))
		if err != nil || info.Mode() != 0o666 {
			t.Errorf("the copy is %v, %v", info.Mode(), err)
		}
	})
}
