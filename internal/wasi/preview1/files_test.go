//go:build linux

package preview1

import (
	"fmt"
	"testing"

	"wherry/internal/wasi/host/socket"
	"wherry/internal/wasi/host/tree"
)

const readWrite = rightFdRead | rightFdWrite

func TestFiles(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	fd := g.open("a", openCreat, readWrite, 0)
	if fd != 4 {
		t.Errorf("the first file is descriptor %d, want 4", fd)
	}
	g.write(fd, "hello world")
	at := g.room(64)
	g.ok("fd_tell", fd, at)
	if g.u64(at) != 11 {
		t.Errorf("position %d after writing 11 bytes", g.u64(at))
	}
	g.ok("fd_seek", fd, 6, 0, at)
	if s := g.read(fd); s != "world" {
		t.Errorf("read %q", s)
	}
	if s := g.read(fd); s != "" {
		t.Errorf("read %q at the end", s)
	}
	minus := ^uint64(0)
	g.want(errInval, "fd_seek", fd, minus, 0, at)
	g.want(errInval, "fd_seek", fd, 0, 3, at)
	g.ok("fd_seek", fd, minus-4, 2, at)
	if g.u64(at) != 6 {
		t.Errorf("five before the end is %d", g.u64(at))
	}
	iovs, data := g.buffer(4)
	g.ok("fd_pread", fd, iovs, 1, 4, at)
	if string(g.mem[data:data+4]) != "o wo" {
		t.Errorf("pread %q", g.mem[data:data+4])
	}
	g.want(errInval, "fd_pread", fd, iovs, 1, 1<<63, at)
	g.ok("fd_pwrite", fd, g.content("J"), 1, 0, at)
	g.ok("fd_filestat_set_size", fd, 5)
	g.want(errInval, "fd_filestat_set_size", fd, minus)
	g.ok("fd_allocate", fd, 0, 100)
	g.want(errInval, "fd_allocate", fd, minus, 2)
	g.want(errInval, "fd_allocate", fd, 0, 0)
	g.ok("fd_advise", fd, 0, 0, 5)
	g.want(errInval, "fd_advise", fd, 0, 0, 6)
	g.ok("fd_filestat_set_times", fd, 1000, 2000, 5)
	g.want(errInval, "fd_filestat_set_times", fd, 0, 0, 3)
	g.want(errInval, "fd_filestat_set_times", fd, 0, 0, 16)
	g.ok("fd_filestat_get", fd, at)
	if g.mem[at+16] != byte(tree.TypeRegular) || g.u64(at+32) != 100 || g.u64(at+40) != 1000 || g.u64(at+48) != 2000 {
		t.Errorf("type %d, size %d, times %d %d", g.mem[at+16], g.u64(at+32), g.u64(at+40), g.u64(at+48))
	}
	g.ok("fd_sync", fd)
	g.ok("fd_datasync", fd)
	g.ok("fd_close", fd)
	g.want(errBadf, "fd_close", fd)
	if s := g.read(g.open("a", 0, rightFdRead, 0)); len(s) != 100 || s[:5] != "Jello" {
		t.Errorf("the file holds %q", s)
	}
}

func TestFlags(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	fd := g.open("a", openCreat, readWrite, uint64(flagAppend))
	at := g.room(24)
	g.write(fd, "one")
	g.ok("fd_seek", fd, 0, 0, at)
	g.write(fd, "two")
	g.ok("fd_fdstat_get", fd, at)
	if g.u16(at+2) != flagAppend {
		t.Errorf("flags %#x", g.u16(at+2))
	}
	g.ok("fd_fdstat_set_flags", fd, 0)
	g.ok("fd_seek", fd, 0, 0, at)
	g.write(fd, "THREE")
	g.ok("fd_seek", fd, 0, 0, at)
	if s := g.read(fd); s != "THREEo" {
		t.Errorf("the file holds %q", s)
	}
	g.want(errNotsup, "fd_fdstat_set_flags", fd, uint64(flagSync))
	g.want(errInval, "fd_fdstat_set_flags", fd, 32)
}

func TestTable(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	a, b := g.open("a", openCreat, readWrite, 0), g.open("b", openCreat, readWrite, 0)
	g.write(a, "from a")
	g.ok("fd_close", a)
	if again := g.open("c", openCreat, readWrite, 0); again != a {
		t.Errorf("descriptor %d in place of the lowest free one, %d", again, a)
	}
	g.write(b, "from b")
	g.ok("fd_renumber", b, a)
	g.want(errBadf, "fd_tell", b, g.room(8))
	at := g.room(8)
	g.ok("fd_tell", a, at)
	if g.u64(at) != 6 {
		t.Errorf("position %d", g.u64(at))
	}
	g.ok("fd_renumber", a, a)
	g.want(errBadf, "fd_renumber", a, 99)
	g.want(errBadf, "fd_renumber", 0xffffffff, a)
	g.ok("fd_renumber", a, 3) // even over the preopen
	g.want(errBadf, "fd_prestat_get", 3, at)
}

func TestRights(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	g.write(g.open("a", openCreat, rightFdWrite, 0), "text")
	r, w := g.open("a", 0, rightFdRead, 0), g.open("a", 0, rightFdWrite, 0)
	iovs, _ := g.buffer(4)
	n := g.room(8)
	g.want(errBadf, "fd_write", r, iovs, 1, n)
	g.want(errBadf, "fd_read", w, iovs, 1, n)
	g.want(errNotcapable, "fd_filestat_set_size", r, 0)
	stat := g.room(24)
	g.ok("fd_fdstat_get", r, stat)
	g.want(errNotcapable, "fd_fdstat_set_rights", r, g.u64(stat+8)|rightFdWrite, 0)
	g.ok("fd_fdstat_set_rights", r, 0, 0)
	g.want(errBadf, "fd_read", r, iovs, 1, n)
	g.want(errNotcapable, "fd_tell", r, n)

	g.ok("fd_fdstat_set_rights", 3, rightsDir&^rightPathUnlinkFile, rightsDirInheriting&^rightFdWrite)
	p, l := g.text("a")
	g.want(errNotcapable, "path_unlink_file", 3, p, l)
	g.want(errBadf, "fd_write", g.open("a", 0, readWrite, 0), iovs, 1, n)
	g.want(errIsdir, "fd_read", 3, iovs, 1, n)
}

func TestDirectories(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	at := g.room(64)
	path := func(s string) (uint64, uint64) { return g.text(s) }
	p, n := path("d")
	g.ok("path_create_directory", 3, p, n)
	g.want(20, "path_create_directory", 3, p, n)
	g.write(g.open("d/file", openCreat, rightFdWrite, 0), "x")
	old, oldN := path("d/file")
	link, linkN := path("d/hard")
	g.ok("path_link", 3, 0, old, oldN, 3, link, linkN)
	soft, softN := path("d/soft")
	target, targetN := path("file")
	g.ok("path_symlink", target, targetN, 3, soft, softN)
	buf := g.room(8)
	g.ok("path_readlink", 3, soft, softN, buf, 2, at)
	if g.u32(at) != 2 || string(g.mem[buf:buf+3]) != "fi\x00" {
		t.Errorf("readlink into two bytes: %d, %q", g.u32(at), g.mem[buf:buf+3])
	}
	for follow, want := range map[uint64]tree.FileType{0: tree.TypeSymlink, 1: tree.TypeRegular} {
		g.ok("path_filestat_get", 3, follow, soft, softN, at)
		if g.mem[at+16] != byte(want) {
			t.Errorf("follow %d: type %d, want %d", follow, g.mem[at+16], want)
		}
	}
	g.want(errInval, "path_filestat_get", 3, 2, soft, softN, at)
	g.ok("path_filestat_set_times", 3, 1, soft, softN, 5, 7, 5)
	moved, movedN := path("moved")
	g.ok("path_rename", 3, link, linkN, 3, moved, movedN)
	g.ok("path_unlink_file", 3, moved, movedN)
	g.want(55, "path_remove_directory", 3, p, n)

	names := g.list("d", 4096)
	if want := []string{".", "..", "file", "soft"}; !equal(names, want) {
		t.Errorf("the directory has %q, want %q", names, want)
	}
	if names := g.list("d", direntSize+4); !equal(names, []string{".", "..", "file", "soft"}) {
		t.Errorf("entry by entry it has %q", names)
	}
	for path, want := range map[string]errno{"/d": errNotcapable, "../d": errNotcapable, "d/../../d": errNotcapable, "d\x00": errInval, "no": 44, "d/file/x": errNotdir} {
		p, n := g.text(path)
		g.want(want, "path_filestat_get", 3, 1, p, n, at)
	}
	g.want(errNametoolong, "path_unlink_file", 3, 0, maxPath+1)
	g.want(errBadf, "path_unlink_file", 77, p, n)
	g.want(errNotdir, "path_unlink_file", 0, p, n)
	g.want(errFault, "path_unlink_file", 3, memorySize, 1)
	g.want(errInval, "path_open", 3, 0, p, n, openCreat|openDirectory, 0, 0, 0, at)
	g.want(errInval, "path_open", 3, 0, p, n, 16, 0, 0, 0, at)
	g.want(errFault, "path_open", 3, 0, p, n, 0, 0, 0, 0, memorySize-3)
}

// list reads a directory with a buffer of some size.
func (g *guest) list(path string, size int) (names []string) {
	g.Helper()
	fd := g.open(path, openDirectory, rightFdReaddir, 0)
	defer g.ok("fd_close", fd)
	buf, used := g.room(size), g.room(4)
	for cookie := uint64(0); ; {
		g.ok("fd_readdir", fd, buf, uint64(size), cookie, used)
		b, progress := g.mem[buf:buf+uint64(g.u32(used))], false
		for len(b) >= direntSize {
			next, n := memory(b).u64At(0), memory(b).u64At(16)&0xffffffff
			if uint64(len(b)) < direntSize+n {
				break
			}
			names = append(names, string(b[direntSize:direntSize+n]))
			b, cookie, progress = b[direntSize+n:], next, true
		}
		if g.u32(used) < uint32(size) {
			return names
		}
		if !progress {
			g.Fatal("no whole entry fits")
		}
	}
}

func (m memory) u64At(at int) uint64 {
	v := uint64(0)
	for i := range 8 {
		v |= uint64(m[at+i]) << (8 * i)
	}
	return v
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestPreopen(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	at := g.room(16)
	g.ok("fd_prestat_get", 3, at)
	if g.u32(at) != 0 || g.u32(at+4) != 1 {
		t.Errorf("prestat %d, %d", g.u32(at), g.u32(at+4))
	}
	g.want(errNametoolong, "fd_prestat_dir_name", 3, at, 0)
	g.ok("fd_prestat_dir_name", 3, at, 1)
	if g.mem[at] != '/' {
		t.Errorf("the preopen's name begins with %q", g.mem[at])
	}
	g.want(errBadf, "fd_prestat_get", 4, at)
	g.want(errBadf, "fd_prestat_get", 0, at)
}

func TestIovecs(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	fd := g.open("a", openCreat, readWrite, 0)
	n := g.room(4)
	p1, n1 := g.text("ab")
	p2, n2 := g.text("cd")
	g.ok("fd_write", fd, g.words(p1, n1, 0, 0, 0xffffffff, 0, p2, n2), 2, n)
	g.want(errFault, "fd_write", fd, g.words(0xffffffff, 1), 1, n)
	g.want(errFault, "fd_write", fd, g.words(1, 0xffffffff), 1, n)
	g.want(errFault, "fd_write", fd, memorySize-7, 1, n)
	g.want(errFault, "fd_write", fd, 0, 1, memorySize-3)
	g.want(errInval, "fd_write", fd, 0, 1025, n)
	g.want(errInval, "fd_write", fd, 0, 0xffffffff, n)
	g.ok("fd_seek", fd, 0, 0, g.room(8))
	if s := g.read(fd); s != "ab" {
		t.Errorf("the file holds %q", s)
	}
	g.ok("fd_write", fd, 0, 0, n)
	if g.u32(n) != 0 {
		t.Errorf("no buffers wrote %d bytes", g.u32(n))
	}
}

// TestFullTable opens one folder until the table is full, which must be told,
// and lists it from every descriptor, which must not take memory for each.
func TestFullTable(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	for i := range 200 {
		g.ok("fd_close", g.open(fmt.Sprint("file", i), openCreat, readWrite, 0))
	}
	p, n := g.text(".")
	at, buf := g.room(4), g.room(64)
	for count := 4; ; count++ {
		e := g.call("path_open", 3, 0, p, n, openDirectory, rightFdReaddir, 0, 0, at)
		if e == errMfile && count == maxDescriptors {
			break
		}
		if e != ok || count == maxDescriptors {
			t.Fatalf("descriptor %d: errno %d", count, e)
		}
		if count%100 == 0 {
			g.ok("fd_readdir", uint64(g.u32(at)), buf, 64, 0, at)
		}
	}
	if g.h.listings.total > maxListed || len(g.h.listings.of) != maxListed/202 {
		t.Errorf("%d entries of %d folders are remembered", g.h.listings.total, len(g.h.listings.of))
	}
	// The first has forgotten, and goes on where it was.
	g.ok("fd_readdir", 100, buf, 64, 2, at)
	if name := string(g.mem[buf+direntSize : buf+direntSize+5]); name != "file0" {
		t.Errorf("the third entry is %q", name)
	}
	g.ok("fd_close", 100)
	if fd := g.open("file1", 0, rightFdRead, 0); fd != 100 {
		t.Errorf("the table gave %d, want what was free", fd)
	}
	for fd := range uint64(maxDescriptors) {
		g.ok("fd_close", fd)
	}
	if g.h.listings.total != 0 || len(g.h.listings.of) != 0 {
		t.Errorf("%d entries are remembered of what is closed", g.h.listings.total)
	}
}
