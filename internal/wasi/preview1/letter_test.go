//go:build linux

package preview1

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host/socket"
	"wherry/internal/wasi/host/tree"
)

// TestListingUnderChange removes and adds files while a folder is read: every
// name that was there from beginning to end comes once.
func TestListingUnderChange(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	for i := range 20 {
		g.ok("fd_close", g.open(fmt.Sprintf("f%02d", i), openCreat, readWrite, 0))
	}
	fd := g.open(".", openDirectory, rightFdReaddir, 0)
	buf, used := g.room(direntSize+3), g.room(4)
	read := func(cookie uint64) (name string, next uint64) {
		g.ok("fd_readdir", fd, buf, direntSize+3, cookie, used)
		if g.u32(used) == 0 {
			return "", cookie
		}
		return string(g.mem[buf+direntSize:][:g.u32(buf+16)]), g.u64(buf)
	}
	seen := map[string]int{}
	for cookie, i := uint64(0), 0; ; i++ {
		name, next := read(cookie)
		if name == "" {
			break
		}
		seen[name]++
		cookie = next
		if i%2 == 1 { // one ahead goes, one behind comes
			p, n := g.text(fmt.Sprintf("f%02d", 19-i/2))
			g.ok("path_unlink_file", 3, p, n)
			g.ok("fd_close", g.open(fmt.Sprintf("a%02d", i), openCreat, readWrite, 0))
		}
	}
	for i := range 9 {
		if name := fmt.Sprintf("f%02d", i); seen[name] != 1 {
			t.Errorf("%s came %d times", name, seen[name])
		}
	}
	// From the start it is as it is now; a cookie may be used again.
	if name, next := read(0); name != "." || next != 1 {
		t.Errorf("the first entry is %q, the next has cookie %d", name, next)
	}
	for range 2 {
		if name, _ := read(2); name != "a01" {
			t.Errorf("the third entry is %q", name)
		}
	}
	if name, _ := read(1 << 63); name != "" {
		t.Errorf("behind the end there is %q", name)
	}
}

// TestClosedPreopen closes what the guest began with; the number is free then.
func TestClosedPreopen(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	file := g.open("a", openCreat, readWrite, 0)
	g.ok("fd_close", 3)
	p, n := g.text("a")
	at := g.room(8)
	g.want(errBadf, "path_open", 3, 0, p, n, 0, 0, 0, 0, at)
	g.want(errBadf, "fd_prestat_get", 3, at)
	g.want(errBadf, "fd_close", 3)
	g.want(errBadf, "fd_renumber", file, 3) // only onto what is open
	g.write(file, "still here")
}

// TestReadOnly tries to write to a mount that is read-only, in every way.
func TestReadOnly(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	dir := folderOf(t, filepath.Join(t.TempDir(), "m"))
	tr, err := tree.New(tree.Config{Mounts: []tree.Mount{{Source: dir, Target: "/m", ReadOnly: true}}, Upper: filepath.Join(t.TempDir(), "up"), NoDevices: true})
	if err != nil {
		t.Fatal(err)
	}
	g.h.table.get(3).dir.Close()
	g.h.table.get(3).dir = tr.Root()
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	const rofs errno = 69
	at := g.room(4)
	f, fn := g.text("m/f")
	x, xn := g.text("m/new")
	for _, oflags := range []uint64{0, openTrunc, openCreat} {
		g.want(rofs, "path_open", 3, 0, f, fn, oflags, readWrite, 0, 0, at)
	}
	g.want(rofs, "path_open", 3, 0, f, fn, openTrunc, rightFdRead, 0, 0, at)
	g.want(rofs, "path_open", 3, 0, x, xn, openCreat, rightFdRead, 0, 0, at)
	g.want(rofs, "path_create_directory", 3, x, xn)
	g.want(rofs, "path_symlink", f, 1, 3, x, xn)
	g.want(rofs, "path_link", 3, 0, f, fn, 3, x, xn)
	g.want(rofs, "path_rename", 3, f, fn, 3, x, xn)
	g.want(rofs, "path_unlink_file", 3, f, fn)
	g.want(rofs, "path_filestat_set_times", 3, 0, f, fn, 0, 0, 10)
	e, en := g.text("m/empty")
	g.want(rofs, "path_remove_directory", 3, e, en)
	fd := g.open("m/f", 0, rightFdRead, 0)
	g.want(rofs, "fd_filestat_set_times", fd, 0, 0, 10)
	g.want(errNotcapable, "fd_filestat_set_size", fd, 0)
	g.want(errNotcapable, "fd_allocate", fd, 0, 100)
	g.want(errBadf, "fd_write", fd, g.content("x"), 1, at)
	if b, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || string(b) != "hello world" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

// TestSyncFlags opens with each flag and looks at what the kernel was asked for.
func TestSyncFlags(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	for flag, want := range map[uint16]int{
		flagSync: unix.O_SYNC, flagRSync: unix.O_SYNC, flagDSync: unix.O_DSYNC, flagAppend: unix.O_APPEND, flagNonBlock: unix.O_NONBLOCK, 0: 0,
	} {
		fd := g.open("a", openCreat, readWrite, uint64(flag))
		got, err := unix.FcntlInt(uintptr(g.h.table.get(uint32(fd)).file.FD()), unix.F_GETFL, 0)
		if all := unix.O_SYNC | unix.O_APPEND | unix.O_NONBLOCK; err != nil || got&all != want {
			t.Errorf("flag %#x: the file's flags are %#x (%v), want %#x", flag, got&all, err, want)
		}
		at := g.room(24)
		g.ok("fd_fdstat_get", fd, at)
		if g.u16(at+2) != flag {
			t.Errorf("flag %#x is told as %#x", flag, g.u16(at+2))
		}
		g.ok("fd_fdstat_set_flags", fd, uint64(flag)) // changes nothing
		g.ok("fd_close", fd)
	}
}

// TestTimes sets times in every way that is allowed.
func TestTimes(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	fd := g.open("a", openCreat, readWrite, 0)
	at := g.room(64)
	const old, set = 1_000_000_007, 2_000_000_011
	for _, c := range []struct {
		flags        uint64
		atime, mtime uint64 // 0 is about now
	}{{0, old, old}, {1, set, old}, {4, old, set}, {5, set, set}, {2, 0, old}, {8, old, 0}, {10, 0, 0}, {9, set, 0}, {6, 0, set}} {
		g.ok("fd_filestat_set_times", fd, old, old, 5)
		before := uint64(time.Now().Add(-time.Second).UnixNano()) // the kernel's clock of files is a tick late
		g.ok("fd_filestat_set_times", fd, set, set, c.flags)
		g.ok("fd_filestat_get", fd, at)
		for i, want := range []uint64{c.atime, c.mtime} {
			if got := g.u64(at + 40 + 8*uint64(i)); want != 0 && got != want || want == 0 && got < before {
				t.Errorf("flags %d: time %d is %d, want %d", c.flags, i, got, want)
			}
		}
	}
	// Before 1970 there is no time.
	if err := unix.UtimesNanoAt(g.h.table.get(uint32(fd)).file.FD(), "", []unix.Timespec{{Sec: -5}, {Sec: -5}}, unix.AT_EMPTY_PATH); err != nil {
		t.Fatal(err)
	}
	g.ok("fd_filestat_get", fd, at)
	if g.u64(at+40) != 0 || g.u64(at+48) != 0 {
		t.Errorf("times before 1970 are %d and %d", g.u64(at+40), g.u64(at+48))
	}
}

// TestHugeBuffers names the same memory again and again, until the sum is more
// than a result can tell.
func TestHugeBuffers(t *testing.T) {
	m := make(memory, 5<<20)
	for i := range 1024 {
		binary.LittleEndian.PutUint32(m[8*i:], 1<<20)
		binary.LittleEndian.PutUint32(m[8*i+4:], 4<<20)
	}
	if v, e := m.iovecs(nil, 0, 1023); e != ok || len(v) != 1023 {
		t.Errorf("1023 buffers of 4 MiB: %d, errno %d", len(v), e)
	}
	if _, e := m.iovecs(nil, 0, 1024); e != errInval {
		t.Errorf("4 GiB of buffers: errno %d", e)
	}
	binary.LittleEndian.PutUint32(m[8*1023+4:], 4<<20-1)
	if v, e := m.iovecs(nil, 0, 1024); e != ok || len(v) != 1024 {
		t.Errorf("4 GiB less one byte: errno %d", e)
	}
}
