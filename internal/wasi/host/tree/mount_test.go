//go:build linux

package tree

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

func TestMounts(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		rw, ro, inner := t.TempDir(), t.TempDir(), t.TempDir()
		build(t, rw, "w", "up -> ../app/x", "abs -> /app/x", "sub/s")
		build(t, ro, "r", "deep/er")
		build(t, inner, "i")
		e := newEnv(t, Config{Mounts: []Mount{
			{Target: "/data/nested/inner", Source: inner},
			{Target: "/data", Source: rw},
			{Target: "/ro", Source: ro, ReadOnly: true},
			{Target: "/run/link/in", Source: inner},
			{Target: "/etc/one", Source: filepath.Join(ro, "r"), File: true, ReadOnly: true},
			{Target: "/etc/two", Source: filepath.Join(rw, "w")},
		}}, "app/x", "app/d -> ../data", "run/link -> ../var", "var/", "data/hidden")
		if got := e.names("."); got != "app data etc ro run var" {
			t.Errorf("root: %s", got)
		}
		if got := e.names("data") + "|" + e.names("data/nested") + "|" + e.names("data/nested/inner") + "|" + e.names("var/in") + "|" + e.names("etc"); got !=
			"abs nested sub up w|inner|i|i|one two" {
			t.Errorf("mounts: %s", got)
		}
		for path, want := range map[string]string{
			"app/../data/w": "w", "app/d/w": "w", "data/up": "app/x", "data/abs": "app/x", "data/sub/../w": "w",
			"data/nested/inner/i": "i", "run/link/in/i": "i", "ro/deep/er": "deep/er", "etc/one": "r", "etc/two": "w", "app/d/../app/x": "app/x",
		} {
			if got := e.read(path); got != want {
				t.Errorf("%s: %q, want %q", path, got, want)
			}
		}
		e.write("data/w", "changed")
		e.write("data/new", "n")
		e.write("etc/two", "twice")
		if b, _ := os.ReadFile(filepath.Join(rw, "w")); string(b) != "twice" {
			t.Errorf("the host sees %q", b)
		}
		if b, _ := os.ReadFile(filepath.Join(rw, "new")); string(b) != "n" {
			t.Errorf("the host sees %q", b)
		}
		before := snapshot(t, ro)
		_, err := e.Open("ro/r", OpenFlags{Write: true})
		e.want(err, unix.EROFS, "write below a read-only mount")
		_, err = e.Open("ro/n", OpenFlags{Create: true, Write: true})
		e.want(err, unix.EROFS, "create below a read-only mount")
		_, err = e.Open("etc/one", OpenFlags{Truncate: true})
		e.want(err, unix.EROFS, "truncate a read-only file")
		e.want(e.Unlink("ro/r"), unix.EROFS, "unlink below a read-only mount")
		e.want(e.SetTimesAt("etc/one", true, Times{NowMtim: true}), unix.EROFS, "times of a read-only file")
		f := e.file("ro/r", OpenFlags{Read: true})
		e.want(f.SetTimes(Times{NowMtim: true}), unix.EROFS, "times by descriptor")
		f.Close()
		if snapshot(t, ro) != before {
			t.Error("the read-only mount was changed")
		}
		e.want(e.Rename("data/w", e.Dir, "w"), unix.EXDEV, "rename out of a mount")
		e.want(e.Link("data/w", false, e.Dir, "w"), unix.EXDEV, "link out of a mount")
		e.want(e.Rename("data", e.Dir, "d"), unix.EBUSY, "rename of a mount point")
		e.want(e.Rename("run", e.Dir, "r"), nil, "rename beside a mount's link")
		e.want(e.Rename("var", e.Dir, "v"), unix.EBUSY, "rename of the way to a mount")
		e.want(e.Rename("app", e.Dir, "etc"), unix.EBUSY, "rename over the way to a mount")
		e.want(e.Rmdir("data"), unix.EBUSY, "rmdir of a mount point")
		e.want(e.Unlink("etc/one"), unix.EBUSY, "unlink of a mounted file")
		e.want(e.Rename("data/sub", e.Dir, "data/sub2"), nil, "rename inside a mount")
		e.write("etc/new", "made in a folder that only mounts had")
		if got := e.names("etc"); got != "new one two" {
			t.Errorf("etc: %s", got)
		}
	})
}

func TestDefaults(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte("ca"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := Config{Defaults: []DefaultFile{
		{Path: "/etc/hosts", Data: []byte("hosts")}, {Path: "/etc/hostname", Data: []byte("name")},
		{Path: "/etc/ssl/certs/ca.pem", Source: ca}, {Path: "/file/below", Data: []byte("x")},
	}}
	e := newEnv(t, c, "etc/hostname", "file")
	if got := e.names("etc") + "|" + e.names("etc/ssl/certs"); got != "hostname hosts ssl|ca.pem" {
		t.Errorf("entries: %s", got)
	}
	if e.read("etc/hosts") != "hosts" || e.read("etc/hostname") != "etc/hostname" || e.read("etc/ssl/certs/ca.pem") != "ca" {
		t.Errorf("content: %q %q", e.read("etc/hosts"), e.read("etc/hostname"))
	}
	f := e.file("etc/hosts", OpenFlags{Read: true})
	if _, err := unix.Write(f.FD(), []byte("x")); err == nil {
		t.Error("a default file could be written in place")
	}
	st, _ := f.Stat()
	if at, err := e.StatAt("etc/hosts", false); err != nil || at.Ino != st.Ino || at.Size != st.Size || at.Mtim != st.Mtim {
		t.Errorf("by path %+v, by descriptor %+v (%v)", at, st, err)
	}
	f.Close()
	was, _ := e.StatAt("etc/ssl", false)
	_, err := e.Open("etc/ssl/certs/ca.pem", OpenFlags{Write: true, Truncate: true})
	e.want(err, unix.EROFS, "writing the host's bundle")
	if is, _ := e.StatAt("etc/ssl", false); is.Ino != was.Ino || is.Dev != was.Dev {
		t.Errorf("the folder changed numbers: %+v, was %+v", is, was)
	}
	if b, _ := os.ReadFile(ca); string(b) != "ca" {
		t.Errorf("the host's bundle became %q", b)
	}
	e.names("etc")
	e.want(e.Unlink("etc/hosts"), nil, "unlink")
	_, err = e.StatAt("etc/hosts", false)
	e.want(err, unix.ENOENT, "stat of the removed")
	e.want(e.Rename("etc/ssl", e.Dir, "ssl"), nil, "rename of a default's folder")
	if got := e.names("ssl/certs") + "|" + e.names("etc"); got != "ca.pem|hostname" {
		t.Errorf("after renaming: %s", got)
	}
	e.Dir.Close()
	e.tree.Close()
	c.Root, c.Upper, c.NoDevices = e.root, e.upper, true
	e.open(c)
	if got := e.names("."); got != "etc file ssl" {
		t.Errorf("after restart: %s", got)
	}
	if got := e.names("etc"); got != "hostname" {
		t.Errorf("after restart: %s", got)
	}
}

func TestDevices(t *testing.T) {
	tr, err := New(Config{Upper: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	root := tr.Root()
	defer root.Close()
	n, err := root.Open("dev/null", OpenFlags{Write: true, Truncate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if f := n.(*File); f.Type() != TypeCharacterDevice {
		t.Errorf("/dev/null is %d", f.Type())
	} else if _, err := unix.Write(f.FD(), []byte("x")); err != nil {
		t.Error(err)
	} else if err := f.SetTimes(Times{NowMtim: true}); err != unix.EPERM {
		t.Errorf("setting the host's device: %v", err)
	}
	if err := root.SetTimesAt("dev/null", true, Times{NowMtim: true}); err != unix.EPERM {
		t.Errorf("setting the host's device by path: %v", err)
	}
	n, err = root.Open("dev/urandom", OpenFlags{Read: true})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if n, err := unix.Read(n.(*File).FD(), make([]byte, 16)); n != 16 || err != nil {
		t.Errorf("urandom: %d, %v", n, err)
	}
	if err := root.Rename("dev", root, "d"); err != unix.EXDEV && err != unix.EBUSY {
		t.Errorf("renaming /dev: %v", err)
	}
}

// The host's whole tree as a mount: what steers the kernel stays shut.
func TestKernelFileSystems(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		sock := filepath.Join(t.TempDir(), "s")
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Bind(fd, &unix.SockaddrUnix{Name: sock}); err != nil {
			t.Fatal(err)
		}
		e := newEnv(t, Config{Mounts: []Mount{{Target: "/host", Source: "/"}, {Target: "/d", Source: filepath.Dir(sock)}}}, "x")
		for _, path := range []string{"host/proc/self/mem", "host/proc/self/root/etc/passwd", "host/proc/self/fd/0", "host/proc/1/status",
			"host/proc", "host/proc/", "host/proc/.", "host/sys", "host/sys/kernel/uevent_seqnum", "host/dev/tty", "host/dev/kmsg", "d/s", "host/proc/../proc/version"} {
			if host, ok := strings.CutPrefix(path, "host"); ok {
				if _, err := os.Lstat(host); err != nil {
					continue // this machine has none
				}
			}
			for _, o := range []OpenFlags{{Read: true}, {Write: true}, {Read: true, Write: true, Truncate: true}, {Directory: true}} {
				n, err := e.Open(path, o)
				if err == nil {
					n.Close()
				}
				if err != unix.EACCES && err != unix.ENOTDIR && err != unix.EISDIR || err == unix.ENOTDIR && !o.Directory || err == unix.EISDIR && !(o.Write) {
					t.Errorf("open %s %+v: %v", path, o, err)
				}
			}
		}
		for _, path := range []string{"host/proc", "host/proc/version", "host/sys/kernel"} {
			_, err := e.StatAt(path, true)
			e.want(err, unix.EACCES, "stat "+path)
			_, err = e.Readlink(path + "/self")
			e.want(err, unix.EACCES, "readlink "+path)
			e.want(e.SetTimesAt(path, true, Times{NowMtim: true}), unix.EACCES, "times "+path)
		}
		if _, err := e.StatAt("host/etc", true); err != nil {
			t.Errorf("the rest of the host: %v", err)
		}
	})
}

func TestConfigErrors(t *testing.T) {
	dir := t.TempDir()
	build(t, dir, "file", "folder/", "fifo |")
	m := func(target, source string) Config {
		return Config{Root: dir, Mounts: []Mount{{Target: target, Source: source}}}
	}
	for name, tt := range map[string]struct {
		c    Config
		want error
	}{
		"missing source":         {m("/x", dir+"/none"), errdefs.ErrNotFound},
		"relative source":        {m("/x", "file"), errdefs.ErrInvalidArgument},
		"empty source":           {m("/x", ""), errdefs.ErrInvalidArgument},
		"relative target":        {m("x", dir), errdefs.ErrInvalidArgument},
		"root as target":         {m("/../", dir), errdefs.ErrInvalidArgument},
		"file in the way":        {m("/file/x", dir), errdefs.ErrInvalidArgument},
		"folder over file":       {m("/file", dir), errdefs.ErrInvalidArgument},
		"file over folder":       {m("/folder", dir+"/file"), errdefs.ErrInvalidArgument},
		"fifo":                   {m("/x", dir+"/fifo"), errdefs.ErrInvalidArgument},
		"procfs":                 {m("/x", "/proc"), errdefs.ErrInvalidArgument},
		"file on procfs":         {m("/x", "/proc/version"), errdefs.ErrInvalidArgument},
		"folder wanted as file":  {Config{Mounts: []Mount{{Target: "/x", Source: dir, File: true}}}, errdefs.ErrInvalidArgument},
		"relative root":          {Config{Root: "x"}, errdefs.ErrInvalidArgument},
		"missing root":           {Config{Root: dir + "/none"}, unix.ENOENT},
		"relative upper":         {Config{Upper: "x"}, errdefs.ErrInvalidArgument},
		"relative default":       {Config{Defaults: []DefaultFile{{Path: "etc/hosts"}}}, errdefs.ErrInvalidArgument},
		"missing default source": {Config{Defaults: []DefaultFile{{Path: "/ca", Source: dir + "/none"}}}, errdefs.ErrNotFound},
	} {
		tr, err := New(tt.c)
		if err == nil {
			tr.Close()
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func TestConfigJSON(t *testing.T) {
	c := Config{Root: "/r", Upper: "/u", ReadOnly: true, NoDevices: true,
		Mounts: []Mount{{Target: "/t", Source: "/s", ReadOnly: true, File: true, Tmpfs: true, Size: 5, Mode: 0o700}}, Own: true,
		Defaults: []DefaultFile{{Path: "/d", Data: []byte{0, 255}, Source: "/s", Mode: 0o600}}}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back Config
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(c, back) {
		t.Errorf("%s became %+v (%v)", b, back, err)
	}
}

func TestTmpfs(t *testing.T) {
	e := newEnv(t, Config{Mounts: []Mount{{Target: "/tmp", Tmpfs: true, Size: 64 << 10}}}, "tmp/of-the-image")
	if got := e.names("tmp"); got != "" {
		t.Errorf("a new tmpfs has %s", got)
	}
	f := e.file("tmp/f", OpenFlags{Create: true, Read: true, Write: true})
	fill := func(f *File, off, n int64) error {
		if err := f.Room(off + n); err != nil {
			return err
		}
		wrote, err := unix.Pwrite(f.FD(), make([]byte, n), off)
		if err == nil && int64(wrote) < n {
			err = unix.ENOSPC // a kernel tmpfs takes what it can
		}
		return err
	}
	e.want(fill(f, 0, 32<<10), nil, "half")
	e.want(fill(f, 0, 32<<10), nil, "the same half again")
	e.want(fill(f, 32<<10, 40<<10), unix.ENOSPC, "too much")
	// What is unlinked but open still counts, what is closed does not.
	e.want(e.Unlink("tmp/f"), nil, "unlink")
	g := e.file("tmp/g", OpenFlags{Create: true, Write: true})
	e.want(fill(g, 0, 48<<10), unix.ENOSPC, "beside an unlinked file")
	f.Close()
	e.want(fill(g, 0, 48<<10), nil, "after it is closed")
	g.Close()
	e.want(e.Rename("tmp/g", e.Dir, "g"), unix.EXDEV, "rename out")
	e.Dir.Close()
	e.tree.Close()
	if list, err := os.ReadDir(filepath.Join(e.upper, "tmp")); err != nil || len(list) != 0 {
		t.Errorf("left behind: %v, %v", list, err)
	}
}

func TestTmpfsMode(t *testing.T) {
	e := newEnv(t, Config{Mounts: []Mount{{Target: "/a", Tmpfs: true}, {Target: "/b", Tmpfs: true, Mode: 0o750}}})
	for name, want := range map[string]uint32{"a": 0o1777, "b": 0o750} {
		st, err := e.StatAt(name, true)
		if os.Geteuid() != 0 && name == "a" {
			want = 0o755 // the scratch folder of an ordinary user
		}
		if err != nil || st.Mode&0o7777 != want {
			t.Errorf("%s: mode %o, %v; want %o", name, st.Mode, err, want)
		}
	}
}

// A root of the container's own is written in place, and only default files
// are remembered beside it.
func TestOwnRoot(t *testing.T) {
	c := Config{Own: true, NoDevices: true, Defaults: []DefaultFile{
		{Path: "/etc/hosts", Data: []byte("default")}, {Path: "/etc/hostname", Data: []byte("name")},
	}}
	e := newEnv(t, c, "etc/passwd", "bin/sh")
	f := e.file("etc/new", OpenFlags{Create: true, Write: true})
	f.Close()
	f = e.file("etc/hosts", OpenFlags{Write: true})
	if _, err := unix.Pwrite(f.FD(), []byte("DE"), 0); err != nil {
		t.Fatal(err)
	}
	f.Close()
	e.want(e.Mkdir("var"), nil, "mkdir")
	e.want(e.Unlink("bin/sh"), nil, "remove what the root has")
	e.want(e.Unlink("etc/hostname"), nil, "remove a default file")
	e.want(e.Rename("bin", e.Dir, "sbin"), nil, "rename a folder")
	c.Root, c.Upper = e.root, e.upper
	e.Dir.Close()
	e.tree.Close()
	e.open(c)
	if got := e.names("etc"); got != "hosts new passwd" {
		t.Errorf("/etc has %s", got)
	}
	var there []string
	err := filepath.WalkDir(e.root, func(p string, d os.DirEntry, err error) error {
		rel, rerr := filepath.Rel(e.root, p)
		there = append(there, rel)
		return errors.Join(err, rerr)
	})
	if want := []string{".", "etc", "etc/hosts", "etc/new", "etc/passwd", "sbin", "var"}; err != nil || !reflect.DeepEqual(there, want) {
		t.Errorf("the root has %v (%v), want %v", there, err, want)
	}
	if b, err := os.ReadFile(filepath.Join(e.root, "etc/hosts")); err != nil || string(b) != "DEfault" {
		t.Errorf("hosts: %q, %v", b, err)
	}
}

// What a guest nested endlessly, and what a killed process left, goes away.
func TestRemove(t *testing.T) {
	upper := filepath.Join(t.TempDir(), "u")
	build(t, upper, "data/keep", "white/", "work/1-1", "tmp/1-2/x", "work.3/left")
	fd, err := openPath(unix.AT_FDCWD, upper+"/tmp", unix.O_DIRECTORY)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for range 500 { // a new folder around all before it, each time
		for _, err := range []error{unix.Mkdirat(fd, "new", 0o700), unix.Renameat(fd, "1-2", fd, "new/1-2"), unix.Renameat(fd, "new", fd, "1-2")} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	tr, err := New(Config{Upper: upper})
	if err != nil {
		t.Fatal(err)
	}
	tr.Close()
	for name, want := range map[string]int{"": 4, "data": 1, "work": 0, "tmp": 0} {
		if list, err := os.ReadDir(filepath.Join(upper, name)); err != nil || len(list) != want {
			t.Errorf("%s/ has %v, %v", name, list, err)
		}
	}
	for range 2 {
		if err := Remove(upper); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(upper); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}
