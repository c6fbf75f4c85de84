//go:build linux

package preview1

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host/socket"
	"wherry/internal/wasi/host/tree"
)

// kernelPaths lead everywhere below a folder that folderOf has made, and
// nowhere else, so that the kernel may be asked what it thinks of them.
var kernelPaths = []string{
	"f", "f/", "f/.", "f/..", "f/x", "./f", "d/../f", "d//g", "d/./g",
	"d", "d/", "d/.", "d/e", "d/e/..", "d/e/../..", "empty", "empty/", ".", "./", "",
	"l", "l/", "ld", "ld/", "ld/g", "ld/..", "ld/../f", "d/back", "slash", "slash/", "slash/g", "fslash", "fslash/",
	"none", "none/", "loop", "loop/", "dot", "dot/g", "new", "new/", "new/x", "ld/new", "d/e/new",
	strings.Repeat("n", 255), strings.Repeat("n", 256), strings.Repeat("d/../", 819), strings.Repeat("d/../", 820),
}

// folderOf makes a folder with something of every kind.
func folderOf(t testing.TB, dir string) string {
	t.Helper()
	var errs []error
	errs = append(errs, os.RemoveAll(dir), os.MkdirAll(filepath.Join(dir, "d/e"), 0o755), os.Mkdir(filepath.Join(dir, "empty"), 0o755),
		os.WriteFile(filepath.Join(dir, "f"), []byte("hello world"), 0o644), os.WriteFile(filepath.Join(dir, "d/g"), []byte("g"), 0o644))
	for name, to := range map[string]string{"l": "f", "ld": "d", "none": "nothing", "loop": "loop", "d/back": "../f", "slash": "d/", "fslash": "f/", "dot": "d/."} {
		errs = append(errs, os.Symlink(to, filepath.Join(dir, name)))
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return dir
}

// pathCall is a call on one path or two, made by a guest and by the kernel.
type pathCall struct {
	name   string
	guest  func(g *guest, p, q string) errno
	kernel func(dir int, p, q string) error
	two    bool
}

func one(name string, mid func(p, n uint64) []uint64, kernel func(dir int, p string) error) pathCall {
	return pathCall{name: name,
		guest: func(g *guest, p, _ string) errno {
			ptr, n := g.text(p)
			return g.call(strings.Fields(name)[0], mid(ptr, n)...)
		},
		kernel: func(dir int, p, _ string) error { return kernel(dir, p) }}
}

func pathCalls() []pathCall {
	plain := func(p, n uint64) []uint64 { return []uint64{3, p, n} }
	calls := []pathCall{
		one("path_create_directory", plain, func(dir int, p string) error { return unix.Mkdirat(dir, p, 0o777) }),
		one("path_remove_directory", plain, func(dir int, p string) error { return unix.Unlinkat(dir, p, unix.AT_REMOVEDIR) }),
		one("path_unlink_file", plain, func(dir int, p string) error { return unix.Unlinkat(dir, p, 0) }),
		one("path_readlink", func(p, n uint64) []uint64 { return []uint64{3, p, n, 0, 100, 200} }, func(dir int, p string) error {
			_, err := unix.Readlinkat(dir, p, make([]byte, 100))
			return err
		}),
		{name: "path_symlink", two: true, guest: func(g *guest, p, q string) errno {
			pp, pn := g.text(p)
			qp, qn := g.text(q)
			return g.call("path_symlink", pp, pn, 3, qp, qn)
		}, kernel: func(dir int, p, q string) error { return unix.Symlinkat(p, dir, q) }},
		{name: "path_rename", two: true, guest: func(g *guest, p, q string) errno {
			pp, pn := g.text(p)
			qp, qn := g.text(q)
			return g.call("path_rename", 3, pp, pn, 3, qp, qn)
		}, kernel: func(dir int, p, q string) error { return unix.Renameat(dir, p, dir, q) }},
	}
	for follow, flags := range map[uint64]int{0: unix.AT_SYMLINK_NOFOLLOW, 1: 0} {
		calls = append(calls,
			one(fmt.Sprint("path_filestat_get follow ", follow), func(p, n uint64) []uint64 { return []uint64{3, follow, p, n, 0} }, func(dir int, p string) error {
				var st unix.Stat_t
				return unix.Fstatat(dir, p, &st, flags)
			}),
			one(fmt.Sprint("path_filestat_set_times follow ", follow), func(p, n uint64) []uint64 { return []uint64{3, follow, p, n, 0, 0, 10} }, func(dir int, p string) error {
				return unix.UtimesNanoAt(dir, p, []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}, flags)
			}),
			pathCall{name: fmt.Sprint("path_link follow ", follow), two: true, guest: func(g *guest, p, q string) errno {
				pp, pn := g.text(p)
				qp, qn := g.text(q)
				return g.call("path_link", 3, follow, pp, pn, 3, qp, qn)
			}, kernel: func(dir int, p, q string) error {
				return unix.Linkat(dir, p, dir, q, map[uint64]int{0: 0, 1: unix.AT_SYMLINK_FOLLOW}[follow])
			}})
		for oflags := range uint64(16) {
			if oflags&openCreat != 0 && oflags&openDirectory != 0 || oflags&openExcl != 0 && oflags&openCreat == 0 {
				continue // the first is INVAL, the second not defined
			}
			for _, rights := range []uint64{rightFdRead, readWrite} {
				how := map[uint64]int{rightFdRead: unix.O_RDONLY, readWrite: unix.O_RDWR}[rights]
				for flag, o := range map[uint64]int{openCreat: unix.O_CREAT, openDirectory: unix.O_DIRECTORY, openExcl: unix.O_EXCL, openTrunc: unix.O_TRUNC} {
					if oflags&flag != 0 {
						how |= o
					}
				}
				if follow == 0 {
					how |= unix.O_NOFOLLOW
				}
				calls = append(calls, one(fmt.Sprintf("path_open follow %d, oflags %d, rights %#x", follow, oflags, rights),
					func(p, n uint64) []uint64 { return []uint64{3, follow, p, n, oflags, rights, 0, 0, 0} },
					func(dir int, p string) error {
						fd, err := unix.Openat(dir, p, how|unix.O_CLOEXEC, 0o666)
						if err == nil {
							err = unix.Close(fd)
						}
						return err
					}))
			}
		}
	}
	return calls
}

// places are where a guest's folder can lie.
var places = map[string]func(dir, upper string) (c tree.Config, at string){
	"own": func(dir, upper string) (tree.Config, string) {
		return tree.Config{Root: dir, Own: true, Upper: upper}, "."
	},
	"overlay": func(dir, upper string) (tree.Config, string) { return tree.Config{Root: dir, Upper: upper}, "." },
	"mount": func(dir, upper string) (tree.Config, string) {
		return tree.Config{Upper: upper, Mounts: []tree.Mount{{Source: dir, Target: "/m"}}}, "m"
	},
}

// TestPathsAsTheKernel makes every call with every path, and with every pair of
// them, and compares what it answers and what becomes of the files with what
// Linux does.
func TestPathsAsTheKernel(t *testing.T) {
	for name, place := range places {
		t.Run(name, func(t *testing.T) { asTheKernel(t, place) })
	}
}

func asTheKernel(t *testing.T, place func(dir, upper string) (tree.Config, string)) {
	k := &twins{TB: t, place: place, base: inMemory(t), fd: -1, g: newGuest(t, Config{}, socket.Config{})}
	defer func() { closeAll(t, k.fd) }()
	k.reset()
	fresh := k.theirs()
	for _, c := range pathCalls() {
		seconds := []string{""}
		if c.two {
			seconds = kernelPaths
		}
		for _, p := range kernelPaths {
			for _, q := range seconds {
				k.g.next = 1024
				got, want := c.guest(k.g, p, q), toErrno(c.kernel(k.fd, p, q))
				// Of two errors, that a path is too long may be told first.
				if got != want && (got != errNametoolong || want == ok) {
					t.Errorf("%s %s %s: errno %d, the kernel's is %d", c.name, brief(p), brief(q), got, want)
				}
				if got != ok && want != ok {
					continue
				}
				a, b := k.ours(), k.theirs()
				if a != b {
					t.Errorf("%s %s %s: the files are\n%s\nand with the kernel\n%s", c.name, brief(p), brief(q), a, b)
				}
				if a != fresh || b != fresh {
					k.reset()
				} else if strings.HasPrefix(c.name, "path_open") {
					k.g.call("fd_close", 4)
				}
			}
		}
	}
}

// inMemory is a folder for tests that make files without end, on a tmpfs where
// the machine has one.
func inMemory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "wherry-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// twins are two folders that are alike, one a guest's and one the kernel's.
type twins struct {
	testing.TB
	place func(dir, upper string) (tree.Config, string)
	base  string
	g     *guest
	dir   *tree.Dir // the guest's descriptor 3
	fd    int       // of the kernel's folder
}

// reset makes both folders anew.
func (k *twins) reset() {
	k.Helper()
	closeAll(k.TB, k.fd)
	ours, upper := folderOf(k.TB, filepath.Join(k.base, "ours")), filepath.Join(k.base, "upper")
	var err error
	if k.fd, err = unix.Open(folderOf(k.TB, filepath.Join(k.base, "theirs")), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		k.Fatal(err)
	}
	for fd := uint64(3); fd < uint64(len(k.g.h.table.slots)); fd++ {
		k.g.call("fd_close", fd)
	}
	if err := os.RemoveAll(upper); err != nil {
		k.Fatal(err)
	}
	config, at := k.place(ours, upper)
	config.NoDevices = true
	tr, err := tree.New(config)
	if err != nil {
		k.Fatal(err)
	}
	root := tr.Root()
	node, err := root.Open(at, tree.OpenFlags{})
	if err := errors.Join(err, root.Close(), tr.Close()); err != nil {
		k.Fatal(err)
	}
	k.dir = node.(*tree.Dir)
	if fd, e := k.g.h.table.add(&desc{dir: k.dir, rights: rightsDir, inheriting: rightsDirInheriting, preopen: "/"}); e != ok || fd != 3 {
		k.Fatalf("the folder is descriptor %d, errno %d", fd, e)
	}
}

func closeAll(t testing.TB, fds ...int) {
	for _, fd := range fds {
		if fd >= 0 {
			if err := unix.Close(fd); err != nil {
				t.Error(err)
			}
		}
	}
}

// ours and theirs list what is below a folder: names, kinds, sizes, links.
func (k *twins) ours() string {
	k.Helper()
	var b strings.Builder
	var walk func(d *tree.Dir, below string)
	walk = func(d *tree.Dir, below string) {
		entries, err := d.Entries()
		if err != nil {
			k.Fatal(err)
		}
		for _, e := range entries[2:] {
			st, err := d.StatAt(e.Name, false)
			if err != nil {
				k.Fatal(err)
			}
			body := ""
			switch e.Type {
			case tree.TypeDirectory:
				st.Size = 0
			case tree.TypeSymlink:
				if body, err = d.Readlink(e.Name); err != nil {
					k.Fatal(err)
				}
			}
			fmt.Fprintf(&b, "%s %d %d %s\n", below+e.Name, st.Type, st.Size, body)
			if e.Type == tree.TypeDirectory {
				c, err := d.Open(e.Name, tree.OpenFlags{})
				if err != nil {
					k.Fatal(err)
				}
				walk(c.(*tree.Dir), below+e.Name+"/")
				c.Close()
			}
		}
	}
	walk(k.dir, "")
	return b.String()
}

func (k *twins) theirs() string {
	k.Helper()
	var b strings.Builder
	root := filepath.Join(k.base, "theirs")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		kind, size, body := tree.TypeRegular, info.Size(), ""
		switch info.Mode().Type() {
		case os.ModeDir:
			kind, size = tree.TypeDirectory, 0
		case os.ModeSymlink:
			kind = tree.TypeSymlink
			body, err = os.Readlink(path)
		}
		fmt.Fprintf(&b, "%s %d %d %s\n", strings.TrimPrefix(path, root+"/"), kind, size, body)
		return err
	})
	if err != nil {
		k.Fatal(err)
	}
	return b.String()
}

func brief(p string) string {
	if len(p) > 20 {
		return fmt.Sprintf("%q… of %d bytes", p[:8], len(p))
	}
	return fmt.Sprintf("%q", p)
}
