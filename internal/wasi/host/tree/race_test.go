//go:build linux

package tree

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// racing runs swap over and over in a second thread until the guest's side has
// seen enough, and fails when the guest's side meets the secret.
func racing(t *testing.T, rounds int, swap func() error, guest func() (seen bool)) {
	t.Helper()
	var stop atomic.Bool
	done := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		if err := swap(); err != nil {
			close(started)
			done <- err
			return
		}
		close(started)
		for !stop.Load() {
			if err := swap(); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	<-started
	hits := 0
	for i := 0; i < rounds || hits == 0 && i < 100*rounds; i++ {
		if guest() {
			hits++
		}
	}
	stop.Store(true)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if hits == 0 {
		t.Error("the guest never got to its own file")
	}
}

// A folder of a mount is swapped for a link to the host while the guest passes
// through it.
func TestRaceFolderForLink(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		outside, mount := t.TempDir(), t.TempDir()
		build(t, outside, "f", "sub/f")
		if err := os.WriteFile(filepath.Join(outside, "f"), []byte("secret"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(outside, "sub/f"), []byte("secret"), 0o644); err != nil {
			t.Fatal(err)
		}
		build(t, mount, "a/swap/f", "a/swap/sub/f", "a/link -> "+outside)
		e := newEnv(t, Config{Mounts: []Mount{{Target: "/m", Source: mount}}}, "x")
		victim := snapshot(t, outside)
		sub := e.dirKept("m/a")
		paths := []string{"swap/f", "swap/sub/f", "swap/sub/../f", "swap/./sub//f"}
		i := 0
		racing(t, 4000, func() error {
			return unix.Renameat2(unix.AT_FDCWD, mount+"/a/swap", unix.AT_FDCWD, mount+"/a/link", unix.RENAME_EXCHANGE)
		}, func() bool {
			i++
			n, err := sub.Open(paths[i%len(paths)], OpenFlags{Read: true, Write: i%3 == 0, Follow: i%2 == 0})
			if err == unix.EAGAIN {
				t.Error("EAGAIN reached the guest")
			}
			if err != nil {
				return false
			}
			defer n.Close()
			if got := readFD(t, n.(*File).FD()); got == "secret" {
				t.Error("the guest read the host's file")
			}
			return true
		})
		// The other ways to a name.
		racing(t, 1000, func() error {
			return unix.Renameat2(unix.AT_FDCWD, mount+"/a/swap", unix.AT_FDCWD, mount+"/a/link", unix.RENAME_EXCHANGE)
		}, func() bool {
			n, err := sub.Open("swap/new", OpenFlags{Create: true, Write: true})
			if err == nil {
				n.Close()
			}
			_ = sub.SetTimesAt("swap/f", true, Times{Mtim: 1, SetMtim: true})
			_ = sub.SetMode("swap/f", true, 0o777)
			_ = sub.Rename("swap/f", sub, "swap/g")
			_ = sub.Rename("swap/g", sub, "swap/f")
			_ = sub.Link("swap/f", true, sub, "hard")
			_ = sub.Unlink("hard")
			_ = sub.Unlink("swap/new")
			return err == nil
		})
		if snapshot(t, outside) != victim {
			t.Error("the host's folder was changed")
		}
	})
}

// A folder is moved out of the mount while the guest climbs back through it.
func TestRaceRenameAbove(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		host := t.TempDir()
		build(t, host, "secret", "mount/a/b/c/f", "mount/secret2", "mount/here")
		e := newEnv(t, Config{Mounts: []Mount{{Target: "/m", Source: filepath.Join(host, "mount")}}}, "x")
		in := true
		racing(t, 4000, func() error {
			from, to := host+"/mount/a/b", host+"/b"
			if !in {
				from, to = to, from
			}
			in = !in
			return os.Rename(from, to)
		}, func() bool {
			for _, path := range []string{"m/a/b/c/../../../../secret", "m/a/b/../../../secret", "m/a/b/c/../../secret"} {
				n, err := e.Open(path, OpenFlags{Read: true})
				if err == unix.EAGAIN {
					t.Error("EAGAIN reached the guest")
				}
				if err == nil {
					t.Errorf("%s was opened: %q", path, readFD(t, n.(*File).FD()))
					n.Close()
				}
			}
			n, err := e.Open("m/a/b/c/../../../here", OpenFlags{Read: true})
			if err == nil {
				n.Close()
			}
			return err == nil
		})
	})
}

// A file takes turns with a FIFO: the guest must not hang in open.
func TestRaceFileForFIFO(t *testing.T) {
	mount := t.TempDir()
	build(t, mount, "f", "pipe |")
	e := newEnv(t, Config{Mounts: []Mount{{Target: "/m", Source: mount}}}, "x")
	i := 0
	racing(t, 4000, func() error {
		return unix.Renameat2(unix.AT_FDCWD, mount+"/f", unix.AT_FDCWD, mount+"/pipe", unix.RENAME_EXCHANGE)
	}, func() bool {
		i++
		n, err := e.Open("m/f", OpenFlags{Read: i%2 == 0, Write: i%2 == 1, Follow: true})
		if err != nil {
			return false
		}
		defer n.Close()
		if n.(*File).Type() != TypeRegular {
			t.Errorf("got a %d", n.(*File).Type())
		}
		return true
	})
}

// Two trees on one upper level, as when files are copied into a running
// container: what one adds, the other sees, and neither clears the other's work.
func TestTwoTrees(t *testing.T) {
	e := newEnv(t, Config{}, "a/b/x")
	held := e.dirKept("a/b")
	other := &env{t: t, root: e.root, upper: e.upper}
	other.open(Config{Root: e.root, Upper: e.upper, NoDevices: true})
	other.write("a/b/y", "from the other")
	if _, err := held.StatAt("y", false); err != nil {
		t.Error(err)
	}
	if got := e.names("a/b"); got != "x y" {
		t.Errorf("entries: %s", got)
	}
}

// Threads of one guest share a tree.
func TestThreads(t *testing.T) {
	e := newEnv(t, Config{}, "a/f", "b/")
	errs := make(chan error, 4)
	for i := range 4 {
		go func() {
			name := string(rune('p' + i))
			for range 200 {
				n, err := e.Open("a/"+name, OpenFlags{Create: true, Write: true})
				if err == nil {
					err = n.Close()
				}
				if err == nil {
					err = e.Rename("a/"+name, e.Dir, "b/"+name)
				}
				if err == nil {
					err = e.Unlink("b/" + name)
				}
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got := e.names("a") + "|" + e.names("b"); got != "f|" {
		t.Errorf("left: %s", got)
	}
}
