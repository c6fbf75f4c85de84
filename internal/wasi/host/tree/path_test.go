//go:build linux

package tree

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The paths that a hostile or merely odd guest writes, after the public WASI
// suite (interesting_paths, nofollow_errors, symlink_loop).
func TestPaths(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		secret := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(secret, []byte("host"), 0o644); err != nil {
			t.Fatal(err)
		}
		var chain []string
		for i := range 41 {
			chain = append(chain, fmt.Sprintf("c%d -> c%d", i, i+1))
		}
		image := append(chain, "dir/nested/file", "etc/passwd", "lib/a", "app/x",
			"abs -> /etc/passwd", "climb -> ../../../../etc/passwd", "host -> "+secret,
			"app/up -> ../lib/a", "app/rooted -> /lib/a", "app/over -> ../../../../lib/a",
			"loop -> loop", "ping -> pong", "pong -> ping", "self -> .", "dangling -> nowhere",
			"todir -> dir/nested", "todirslash -> dir/nested/", "tofileslash -> etc/passwd/",
			"c41", "pipe |", "dir/back -> ..", "rootlink -> /", "ünï/ç")
		e := newEnv(t, Config{}, image...)
		deep := e.dir("dir/nested")
		defer deep.Close()
		app := e.dir("app")
		defer app.Close()

		long := strings.Repeat("x", 256)
		tests := []struct {
			d    *Dir
			path string
			want any // content or error
		}{
			{e.Dir, "dir/nested/file", "dir/nested/file"},
			{e.Dir, "dir/.//nested/../../dir/nested/../nested///./file", "dir/nested/file"},
			{e.Dir, "/dir/nested/file", ErrNotCapable},
			{e.Dir, "/", ErrNotCapable},
			{e.Dir, "dir/nested/../../../dir/nested/file", ErrNotCapable},
			{e.Dir, "..", ErrNotCapable},
			{deep, "../nested/file", ErrNotCapable},
			{deep, "file", "dir/nested/file"},
			{e.Dir, "dir/nested/file\x00", unix.EINVAL},
			{e.Dir, "", unix.ENOENT},
			{e.Dir, "dir/\xff", unix.EILSEQ},
			{e.Dir, long, unix.ENAMETOOLONG},
			{e.Dir, "dir/" + long + "/x", unix.ENAMETOOLONG},
			{e.Dir, strings.Repeat("a/", 2100), unix.ENAMETOOLONG},
			{e.Dir, "dir/nested/file/", unix.ENOTDIR},
			{e.Dir, "dir/nested/file///", unix.ENOTDIR},
			{e.Dir, "dir/nested/file/.", unix.ENOTDIR},
			{e.Dir, "dir/nested/file/..", unix.ENOTDIR},
			{e.Dir, "etc/passwd/x", unix.ENOTDIR},
			{e.Dir, "nothing/x", unix.ENOENT},
			{e.Dir, "abs", "etc/passwd"},
			{e.Dir, "climb", "etc/passwd"},
			{e.Dir, "host", unix.ENOENT},
			{app, "up", "lib/a"},
			{app, "rooted", "lib/a"},
			{app, "over", "lib/a"},
			{e.Dir, "app/up", "lib/a"},
			{e.Dir, "loop", unix.ELOOP},
			{e.Dir, "ping", unix.ELOOP},
			{e.Dir, "c1", "c41"},
			{e.Dir, "c0", unix.ELOOP},
			{e.Dir, "self/self/self/etc/passwd", "etc/passwd"},
			{e.Dir, "self/../etc/passwd", ErrNotCapable},
			{e.Dir, "dir/back/dir/back/etc/passwd", "etc/passwd"},
			{e.Dir, "rootlink/etc/passwd", "etc/passwd"},
			{e.Dir, "dangling", unix.ENOENT},
			{e.Dir, "todir/file", "dir/nested/file"},
			{e.Dir, "todirslash/file", "dir/nested/file"},
			{e.Dir, "tofileslash", unix.ENOTDIR},
			{e.Dir, "pipe", unix.EACCES},
			{e.Dir, "ünï/ç", "ünï/ç"},
		}
		for _, tt := range tests {
			n, err := tt.d.Open(tt.path, OpenFlags{Read: true, Follow: true})
			if want, ok := tt.want.(error); ok {
				if n != nil {
					n.Close()
				}
				e.want(err, want, fmt.Sprintf("open %.40q", tt.path))
				continue
			}
			if err != nil {
				t.Errorf("open %q: %v", tt.path, err)
				continue
			}
			if got := readFD(t, n.(*File).FD()); got != tt.want {
				t.Errorf("open %q: got %q, want %q", tt.path, got, tt.want)
			}
			st, err := tt.d.StatAt(tt.path, true)
			if own, _ := n.Stat(); err != nil || st != own {
				t.Errorf("stat %q: %+v, %v; by descriptor %+v", tt.path, st, err, own)
			}
			n.Close()
		}
	})
}

func TestLinksNotFollowed(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		e := newEnv(t, Config{}, "file", "dir/in", "tofile -> file", "todir -> dir", "dangling -> nowhere")
		for _, name := range []string{"tofile", "todir", "dangling"} {
			_, err := e.Open(name, OpenFlags{Read: true})
			e.want(err, unix.ELOOP, "open "+name)
			_, err = e.Open(name, OpenFlags{Directory: true})
			e.want(err, unix.ENOTDIR, "open as folder "+name)
			st, err := e.StatAt(name, false)
			if err != nil || st.Type != TypeSymlink {
				t.Errorf("stat %s: %+v, %v", name, st, err)
			}
		}
		n, err := e.Open("todir", OpenFlags{Directory: true, Follow: true})
		if err != nil {
			t.Fatal(err)
		}
		n.Close()
		_, err = e.Open("tofile", OpenFlags{Directory: true, Follow: true})
		e.want(err, unix.ENOTDIR, "file through a link as folder")
		body, err := e.Readlink("tofile")
		if err != nil || body != "file" {
			t.Errorf("readlink: %q, %v", body, err)
		}
		_, err = e.Readlink("file")
		e.want(err, unix.EINVAL, "readlink of a file")
	})
}

// What the WASI suite demands where something is made or removed.
func TestLastComponent(t *testing.T) {
	e := newEnv(t, Config{}, "file", "dir/nested/", "tofile -> file", "todir -> dir")
	e.want(e.Symlink("/etc", "l"), ErrNotCapable, "absolute link")
	e.want(e.Symlink("", "l"), unix.ENOENT, "empty link")
	e.want(e.Symlink("a\x00b", "l"), unix.EINVAL, "NUL in link")
	e.want(e.Symlink("source", "target/"), unix.ENOENT, "link with slash")
	e.want(e.Symlink("source", "dir/"), unix.EEXIST, "link over folder with slash")
	e.want(e.Symlink("source", "file"), unix.EEXIST, "link over file")
	e.want(e.Symlink("../../../../x", "climbing"), nil, "climbing link")
	e.want(e.Mkdir("dir"), unix.EEXIST, "mkdir over folder")
	e.want(e.Mkdir("."), unix.EEXIST, "mkdir .")
	e.want(e.Mkdir("new/"), nil, "mkdir with slash")
	e.want(e.Rmdir("new/"), nil, "rmdir with slash")
	e.want(e.Rmdir("dir"), unix.ENOTEMPTY, "rmdir of a full folder")
	e.want(e.Rmdir("file"), unix.ENOTDIR, "rmdir of a file")
	e.want(e.Rmdir("file/"), unix.ENOTDIR, "rmdir of a file with slash")
	e.want(e.Rmdir("todir"), unix.ENOTDIR, "rmdir of a link")
	e.want(e.Rmdir("."), unix.EINVAL, "rmdir .")
	e.want(e.Rmdir("dir/.."), unix.ENOTEMPTY, "rmdir ..")
	e.want(e.Rmdir("none"), unix.ENOENT, "rmdir of nothing")
	e.want(e.Unlink("dir"), unix.EISDIR, "unlink of a folder")
	e.want(e.Unlink("dir/"), unix.EISDIR, "unlink of a folder with slash")
	e.want(e.Unlink("file/"), unix.ENOTDIR, "unlink of a file with slash")
	e.want(e.Unlink("none"), unix.ENOENT, "unlink of nothing")
	e.want(e.Link("file", false, e.Dir, "file"), unix.EEXIST, "link to itself")
	e.want(e.Link("file", false, e.Dir, "dir"), unix.EEXIST, "hard link over a folder")
	e.want(e.Link("dir", false, e.Dir, "d2"), unix.EPERM, "hard link to a folder")
	e.want(e.Link("file", false, e.Dir, "l/"), unix.ENOENT, "hard link with slash")
	e.want(e.Link("tofile", false, e.Dir, "linklink"), nil, "hard link to a link")
	_, err := e.Open("file", OpenFlags{Create: true, Exclusive: true})
	e.want(err, unix.EEXIST, "exclusive over a file")
	_, err = e.Open("tofile", OpenFlags{Create: true, Exclusive: true, Follow: true})
	e.want(err, unix.EEXIST, "exclusive over a link")
	_, err = e.Open("new/", OpenFlags{Create: true})
	e.want(err, unix.EISDIR, "create with slash")
	_, err = e.Open("dir", OpenFlags{Create: true, Directory: true})
	e.want(err, unix.EINVAL, "create a folder by open")
	_, err = e.Open("dir", OpenFlags{Write: true})
	e.want(err, unix.EISDIR, "write a folder")
	_, err = e.Open("none", OpenFlags{})
	e.want(err, unix.ENOENT, "open nothing")
	d := e.dir("dir")
	e.want(d.Close(), nil, "close")
	e.want(d.Close(), unix.EBADF, "close again")
	_, err = d.Open("nested", OpenFlags{})
	e.want(err, unix.EBADF, "open in a closed folder")
}

// Files opened never survive an exec, and never block.
func TestDescriptors(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		e := newEnv(t, Config{}, "file", "pipe |")
		if err := unix.Mknod(filepath.Join(e.root, "sock"), unix.S_IFSOCK|0o666, 0); err != nil {
			t.Fatal(err)
		}
		for _, o := range []OpenFlags{{}, {Read: true}, {Write: true}, {Read: true, Write: true, Append: true}, {Write: true, Sync: true}} {
			f := e.file("file", o)
			cloexec, err := unix.FcntlInt(uintptr(f.FD()), unix.F_GETFD, 0)
			if err != nil || cloexec&unix.FD_CLOEXEC == 0 {
				t.Errorf("%+v: descriptor flags %#x, %v", o, cloexec, err)
			}
			flags, err := unix.FcntlInt(uintptr(f.FD()), unix.F_GETFL, 0)
			if err != nil || flags&unix.O_NONBLOCK != 0 || (flags&unix.O_APPEND != 0) != o.Append || (flags&unix.O_SYNC == unix.O_SYNC) != o.Sync {
				t.Errorf("%+v: status flags %#x, %v", o, flags, err)
			}
			f.Close()
		}
		for _, o := range []OpenFlags{{Read: true}, {Write: true}, {Read: true, Write: true}} {
			for _, name := range []string{"pipe", "sock"} {
				_, err := e.Open(name, o)
				e.want(err, unix.EACCES, "open of "+name)
			}
		}
	})
}
