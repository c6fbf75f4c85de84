//go:build linux

package tree

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Device nodes of an image or a mount are never opened, the tree's own are,
// also where the image has a node of its own.
func TestDeviceNodes(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can make nodes; its run of the tests does
	}
	bothWays(t, func(t *testing.T) {
		image, mount := t.TempDir(), t.TempDir()
		build(t, image, "dev/", "sub/")
		for path, n := range map[string]struct{ mode, major, minor uint32 }{
			image + "/dev/null": {unix.S_IFCHR, 1, 3}, image + "/dev/zero": {unix.S_IFCHR, 1, 1}, image + "/dev/mem": {unix.S_IFCHR, 1, 1},
			image + "/null": {unix.S_IFCHR, 1, 3}, image + "/sub/null": {unix.S_IFCHR, 1, 3}, image + "/sub/loop": {unix.S_IFBLK, 7, 200},
			mount + "/null": {unix.S_IFCHR, 1, 3}, mount + "/loop": {unix.S_IFBLK, 7, 200}, mount + "/tty": {unix.S_IFCHR, 5, 0},
		} {
			if err := unix.Mknod(path, n.mode|0o666, int(unix.Mkdev(n.major, n.minor))); err != nil {
				t.Fatal(err)
			}
		}
		tr, err := New(Config{Root: image, Upper: filepath.Join(t.TempDir(), "u"),
			Mounts: []Mount{{Target: "/m", Source: mount}, {Target: "/single", Source: "/dev/null"}}})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		root := tr.Root()
		defer root.Close()
		for path, want := range map[string]error{
			"dev/null": nil, "dev/zero": nil, "dev/urandom": nil, "single": nil,
			"dev/mem": unix.EACCES, "null": unix.EACCES, "sub/null": unix.EACCES, "sub/loop": unix.EACCES,
			"m/null": unix.EACCES, "m/loop": unix.EACCES, "m/tty": unix.EACCES,
		} {
			for _, o := range []OpenFlags{{Read: true}, {Write: true}, {Read: true, Write: true, Truncate: true, Follow: true}, {Create: true, Write: true}} {
				n, err := root.Open(path, o)
				if !errors.Is(err, want) || want == nil && err != nil {
					t.Errorf("open %s %+v: %v, want %v", path, o, err, want)
				}
				if err != nil {
					continue
				}
				// /dev/zero of the image is a node of physical memory.
				if b := make([]byte, 1); path == "dev/zero" && o.Read {
					if n, err := unix.Read(n.(*File).FD(), b); n != 1 || err != nil || b[0] != 0 {
						t.Errorf("reading %s: %d, %v, %v", path, n, err, b)
					}
				}
				n.Close()
			}
		}
		if err := root.Unlink("dev/null"); err != nil {
			t.Error(err)
		}
		if _, err := root.Open("dev/null", OpenFlags{Read: true}); err != unix.ENOENT {
			t.Errorf("a removed device: %v", err)
		}
		if err := root.Link("sub/null", false, root, "sub/n"); err != unix.EXDEV {
			t.Errorf("link to a device: %v", err)
		}
	})
}

// A container's changes are read while it swaps a folder for a link.
func TestChangesFollowNoLink(t *testing.T) {
	outside := t.TempDir()
	build(t, outside, "secret/x")
	upper := filepath.Join(t.TempDir(), "u")
	build(t, upper, "data/dir/own", "data/link -> "+outside, "white/")
	racing(t, 2000, func() error {
		return unix.Renameat2(unix.AT_FDCWD, upper+"/data/dir", unix.AT_FDCWD, upper+"/data/link", unix.RENAME_EXCHANGE)
	}, func() bool {
		list, err := Changes("", upper)
		if err != nil {
			t.Error(err)
		}
		for _, c := range list {
			if filepath.Base(c.Path) == "secret" {
				t.Error("Changes looked outside")
			}
		}
		return len(list) == 3
	})
}

// A folder nested deeper than there are descriptors.
func TestChangesDeep(t *testing.T) {
	e := newEnv(t, Config{})
	d := e.dirKept(".")
	const depth = 1500
	for range depth {
		e.want(d.Mkdir("d"), nil, "mkdir")
		n, err := d.Open("d", OpenFlags{Directory: true})
		if err != nil {
			t.Fatal(err)
		}
		d = n.(*Dir)
		defer d.Close()
	}
	list, err := Changes(e.root, e.upper)
	if err != nil || len(list) != depth {
		t.Errorf("%d changes, %v", len(list), err)
	}
}
