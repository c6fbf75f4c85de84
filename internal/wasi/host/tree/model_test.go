//go:build linux

package tree

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The joined root must behave as one plain folder would: random operations are
// done to an image under an upper level, and to a copy of the image that is
// mounted, where the kernel answers. Both must say the same, now and after a
// restart.
func TestLikeAPlainFolder(t *testing.T) {
	image := []string{"a/f", "a/g", "a/sub/h", "b/", "b/a/f", "f", "l -> a", "m -> f", "a/n -> sub/x"}
	seeds := 12
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(uint64(seed), 0))
		e := newEnv(t, Config{}, image...)
		before := snapshot(t, e.root)
		plain := t.TempDir()
		build(t, plain, image...)
		k := &env{t: t}
		k.open(Config{NoDevices: true, Mounts: []Mount{{Target: "/m", Source: plain}}})
		k.Dir = k.dirKept("m")
		noOpenat2.Store(seed%2 == 1)

		var trail []string
		for step := range 120 {
			what, got, want := randomStep(r, e, k)
			trail = append(trail, what)
			if got != want {
				t.Fatalf("seed %d: the kernel says %s, the tree %s, after:\n%s", seed, want, got, strings.Join(trail, "\n"))
			}
			if step%40 == 39 {
				e.reopen()
				trail = append(trail, "restart")
			}
			if got, want := dump(t, e.Dir, ""), dump(t, k.Dir, ""); got != want {
				t.Fatalf("seed %d: the kernel has\n%s\nthe tree\n%s\nafter:\n%s", seed, want, got, strings.Join(trail, "\n"))
			}
		}
		if snapshot(t, e.root) != before {
			t.Fatalf("seed %d: the image was changed", seed)
		}
		e.Dir.Close()
		e.tree.Close()
	}
	noOpenat2.Store(false)
}

func randomStep(r *rand.Rand, e, k *env) (what, got, want string) {
	names := []string{"a", "b", "f", "g", "l", "m", "n", "sub", "a/sub", "new"}
	path := func() string {
		p := names[r.IntN(len(names))]
		for r.IntN(2) == 0 {
			p += "/" + names[r.IntN(len(names))]
		}
		if r.IntN(12) == 0 {
			p += "/"
		}
		return p
	}
	p, q, follow := path(), path(), r.IntN(2) == 0
	do := func(d *Dir) error { return nil }
	switch r.IntN(9) {
	case 0:
		what, do = "mkdir "+p, func(d *Dir) error { return d.Mkdir(p) }
	case 1:
		what, do = "rmdir "+p, func(d *Dir) error { return d.Rmdir(p) }
	case 2:
		what, do = "unlink "+p, func(d *Dir) error { return d.Unlink(p) }
	case 3, 4:
		what, do = "rename "+p+" "+q, func(d *Dir) error { return d.Rename(p, d, q) }
	case 5:
		what, do = fmt.Sprint("link ", p, " ", q, follow), func(d *Dir) error { return d.Link(p, follow, d, q) }
	case 6:
		body := []string{"a", "b/a", "f", "sub", "new/", "a/f"}[r.IntN(6)]
		what, do = "symlink "+body+" "+p, func(d *Dir) error { return d.Symlink(body, p) }
	case 7:
		what, do = fmt.Sprint("times ", p, follow), func(d *Dir) error { return d.SetTimesAt(p, follow, Times{Mtim: 5, SetMtim: true}) }
	case 8:
		o := OpenFlags{Write: true, Create: r.IntN(2) == 0, Truncate: r.IntN(2) == 0, Append: r.IntN(2) == 0, Exclusive: r.IntN(4) == 0, Follow: follow}
		what, do = fmt.Sprintf("write %s %+v", p, o), func(d *Dir) error {
			n, err := d.Open(p, o)
			if err != nil {
				return err
			}
			defer n.Close()
			_, err = unix.Write(n.(*File).FD(), []byte(q))
			return err
		}
	}
	return what, fmt.Sprint(do(e.Dir)), fmt.Sprint(do(k.Dir))
}

// dump is a folder with all below it. Links of both trees may leave for the
// other's root, so they are compared by their bodies.
func dump(t *testing.T, d *Dir, indent string) string {
	t.Helper()
	list, err := d.Entries()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, x := range list[2:] {
		st, err := d.StatAt(x.Name, false)
		if err != nil || st.Ino != x.Ino || st.Type != x.Type {
			t.Fatalf("%s is listed as %+v, stat says %+v, %v", x.Name, x, st, err)
		}
		fmt.Fprint(&b, indent, x.Name, " ", x.Type)
		switch x.Type {
		case TypeDirectory:
			n, err := d.Open(x.Name, OpenFlags{Directory: true})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&b)
			b.WriteString(dump(t, n.(*Dir), indent+"  "))
			n.Close()
		case TypeSymlink:
			body, err := d.Readlink(x.Name)
			fmt.Fprintln(&b, " ->", body, err)
		default:
			n, err := d.Open(x.Name, OpenFlags{Read: true})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, " %q %d\n", readFD(t, n.(*File).FD()), st.Nlink)
			n.Close()
		}
	}
	return b.String()
}

// Every descriptor goes back.
func TestNoLeaks(t *testing.T) {
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	mount := t.TempDir()
	build(t, mount, "sub/x", "l -> /etc/hosts")
	root, upper := t.TempDir(), filepath.Join(t.TempDir(), "u")
	build(t, root, "a/b/c/f", "a/l -> ../../a/b")
	before := count()
	for range 3 {
		tr, err := New(Config{Root: root, Upper: upper, Mounts: []Mount{{Target: "/m", Source: mount}, {Target: "/t", Tmpfs: true, Size: 1 << 20}},
			Defaults: []DefaultFile{{Path: "/etc/hosts", Data: []byte("x")}}})
		if err != nil {
			t.Fatal(err)
		}
		d := tr.Root()
		for _, path := range []string{"a/b/c/f", "a/l/c/f", "m/sub/x", "m/l", "t/new", "none/x", "../x", "dev/null", "a/b/new", "a/l/../f"} {
			for _, o := range []OpenFlags{{Read: true, Follow: true}, {Write: true, Create: true, Follow: true}, {Directory: true}, {Truncate: true}} {
				if n, err := d.Open(path, o); err == nil {
					_ = n.SetTimes(Times{NowMtim: true})
					n.Close()
				}
			}
			_, _ = d.StatAt(path, true)
			_ = d.Rename(path, d, path+"2")
			_ = d.Unlink(path + "2")
		}
		_ = d.Rename("a", d, "z")
		d.Close()
		if err := tr.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Config{Root: root, Upper: upper, Mounts: []Mount{{Target: "/m", Source: mount}, {Target: "/n", Source: mount + "/none"}}}); err == nil {
			t.Fatal("a missing source was taken")
		}
		if now := count(); now != before {
			t.Fatalf("%d descriptors are open, %d were", now, before)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for name, c := range map[string]Config{"image only": {Upper: "none"}, "under an upper level": {}, "beside a default": {
		Defaults: []DefaultFile{{Path: "/etc/hosts", Data: []byte("x")}}}} {
		b.Run(name, func(b *testing.B) {
			e := newEnv(b, c, "usr/lib/python/os.py")
			for b.Loop() {
				n, err := e.Open("usr/lib/python/os.py", OpenFlags{Read: true, Follow: true})
				if err != nil {
					b.Fatal(err)
				}
				n.Close()
			}
		})
	}
}
