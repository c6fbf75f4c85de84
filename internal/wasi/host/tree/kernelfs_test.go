//go:build linux

package tree

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// inMountNamespace runs do on a thread with mounts of its own, which go away
// with it.
func inMountNamespace(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock: the thread ends with this
		if err := errors.Join(unix.Unshare(unix.CLONE_FS|unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")); err != nil {
			t.Errorf("mounts of one's own: %v", err)
			return
		}
		do()
	}()
	<-done
}

// Kernel file systems are shut wherever they were mounted, and other ones are
// not: below a mount and below the image, as folders and as single files.
func TestKernelFileSystemsMounted(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can mount; its run of the tests does
	}
	bothWays(t, func(t *testing.T) {
		image, mount := t.TempDir(), t.TempDir()
		build(t, image, "fs/", "file", "dir/file")
		build(t, mount, "fs/", "file", "dir/file")
		inMountNamespace(t, func() {
			types := map[string]error{"tmpfs": nil, "ramfs": nil}
			for _, name := range kernelFS {
				types[name] = unix.EACCES
			}
			seen := map[string]bool{}
			for name, want := range types {
				for _, host := range []string{image, mount} {
					at := filepath.Join(host, "fs")
					if err := unix.Mount("none", at, name, 0, ""); err != nil {
						continue // not of this kernel, or not to be mounted
					}
					seen[name] = true
					tryMounted(t, image, mount, name, want)
					if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
						t.Error(err)
					}
				}
			}
			for _, name := range []string{"proc", "sysfs", "devpts", "tmpfs"} {
				if !seen[name] {
					t.Errorf("%s could not be mounted", name)
				}
			}
			t.Logf("mounted: %v", seen)

			for _, at := range []string{image + "/file", mount + "/file", image + "/dir/file", mount + "/dir/file"} {
				if err := unix.Mount("/proc/version", at, "", unix.MS_BIND, ""); err != nil {
					t.Error(err)
				}
			}
			e := newTreeOn(t, image, mount)
			for _, path := range []string{"file", "dir/file", "m/file", "m/dir/file", "dir/../file"} {
				for _, o := range []OpenFlags{{Read: true}, {Write: true}, {Write: true, Truncate: true, Follow: true}, {Create: true}} {
					_, err := e.Open(path, o)
					e.want(err, unix.EACCES, "open "+path)
				}
				_, err := e.StatAt(path, true)
				e.want(err, unix.EACCES, "stat "+path)
				e.want(e.SetTimesAt(path, true, Times{NowMtim: true}), unix.EACCES, "times "+path)
			}
			for _, at := range []string{image + "/file", mount + "/file", image + "/dir/file", mount + "/dir/file"} {
				if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
					t.Error(err)
				}
			}
		})
	})
}

func newTreeOn(t *testing.T, image, mount string) *env {
	e := &env{t: t, root: image, upper: filepath.Join(t.TempDir(), "upper")}
	e.open(Config{Root: image, Upper: e.upper, NoDevices: true, Mounts: []Mount{{Target: "/m", Source: mount}}})
	return e
}

func tryMounted(t *testing.T, image, mount, name string, want error) {
	e := newTreeOn(t, image, mount)
	defer func() {
		e.Dir.Close()
		e.tree.Close()
	}()
	refused := 0
	for _, path := range []string{"fs", "fs/", "m/fs", "dir/../fs", "m/dir/../fs/."} {
		n, err := e.Open(path, OpenFlags{Directory: true, Follow: true})
		if err == nil {
			n.Close()
		} else if err == unix.EACCES {
			refused++
		} else {
			t.Errorf("%s at %s: %v", name, path, err)
		}
	}
	// It is mounted in one of the two, so one kind of path meets it.
	if met := map[bool]int{true: 0, false: 2}[want == nil]; (refused >= max(met, 1)) != (want != nil) {
		t.Errorf("%s: %d of 5 folders refused, want %v", name, refused, want)
	}
}

// Device nodes on a file system that is mounted below an image's tree, which
// itself can hold none.
func TestDevicesBelowImage(t *testing.T) {
	if os.Geteuid() != 0 {
		return
	}
	bothWays(t, func(t *testing.T) {
		image := t.TempDir()
		build(t, image, "fs/", "dir/link -> ../fs/loop")
		inMountNamespace(t, func() {
			if err := unix.Mount(image, image, "", unix.MS_BIND, ""); err != nil {
				t.Error(err)
			}
			if err := unix.Mount("", image, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_NODEV, ""); err != nil {
				t.Error(err)
			}
			if err := unix.Mount("none", image+"/fs", "tmpfs", 0, ""); err != nil {
				t.Error(err)
			}
			if err := unix.Mknod(image+"/fs/loop", unix.S_IFBLK|0o666, int(unix.Mkdev(7, 200))); err != nil {
				t.Error(err)
			}
			e := newTreeOn(t, image, t.TempDir())
			if !e.tree.plain {
				t.Error("the image can hold devices")
			}
			for _, path := range []string{"fs/loop", "dir/link", "./fs//loop"} {
				_, err := e.Open(path, OpenFlags{Read: true, Follow: true})
				e.want(err, unix.EACCES, "open "+path)
			}
			e.Dir.Close()
			e.tree.Close()
			if err := errors.Join(unix.Unmount(image+"/fs", unix.MNT_DETACH), unix.Unmount(image, unix.MNT_DETACH)); err != nil {
				t.Error(err)
			}
		})
	})
}

// A file on which another process holds a lease makes open(2) wait for up to
// 45 s (fcntl(2), F_SETLEASE). A guest does not wait.
func TestLeaseDoesNotBlock(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		mount := t.TempDir()
		build(t, mount, "file")
		fd, err := unix.Open(mount+"/file", unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
			t.Fatal(err)
		}
		e := newTreeOn(t, t.TempDir(), mount)
		for _, o := range []OpenFlags{{Read: true}, {Write: true}, {Write: true, Truncate: true}} {
			_, err := e.Open("m/file", o)
			e.want(err, unix.EBUSY, "open")
		}
	})
}

// A folder with very many names is listed whole, each name once, while names
// come and go.
func TestHugeFolder(t *testing.T) {
	mount := t.TempDir()
	const names = 3000 // several getdents(2)
	dir, err := unix.Open(mount, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)
	name := func(i int) string { return "name-" + string(rune('a'+i%26)) + "-" + strconv.Itoa(i) }
	for i := range names {
		if err := unix.Mknodat(dir, name(i), unix.S_IFREG|0o644, 0); err != nil {
			t.Fatal(err)
		}
	}
	e := newTreeOn(t, t.TempDir(), mount)
	m := e.dirKept("m")
	i := 0
	racing(t, 3, func() error {
		i++
		if err := unix.Mknodat(dir, "other-"+strconv.Itoa(i), unix.S_IFREG|0o644, 0); err != nil {
			return err
		}
		return unix.Unlinkat(dir, "other-"+strconv.Itoa(i), 0)
	}, func() bool {
		list, err := m.Entries()
		if err != nil {
			t.Error(err)
			return false
		}
		stable := map[string]bool{}
		for _, x := range list {
			if len(x.Name) > 5 && x.Name[:5] == "name-" {
				if stable[x.Name] {
					t.Errorf("%s is listed twice", x.Name)
				}
				stable[x.Name] = true
			}
		}
		if len(stable) != names {
			t.Errorf("%d of %d names are listed", len(stable), names)
		}
		return true
	})
}
