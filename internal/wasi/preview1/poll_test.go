//go:build linux

package preview1

import (
	"encoding/binary"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host"
	"wherry/internal/wasi/host/socket"
)

// clockSub is a subscription to a clock.
func clockSub(userdata uint64, id uint32, timeout uint64, flags uint16) []byte {
	b := make([]byte, subscriptionSize)
	binary.LittleEndian.PutUint64(b, userdata)
	binary.LittleEndian.PutUint32(b[16:], id)
	binary.LittleEndian.PutUint64(b[24:], timeout)
	binary.LittleEndian.PutUint16(b[40:], flags)
	return b
}

// fdSub is a subscription to a descriptor.
func fdSub(userdata uint64, kind byte, fd uint32) []byte {
	b := make([]byte, subscriptionSize)
	binary.LittleEndian.PutUint64(b, userdata)
	b[8] = kind
	binary.LittleEndian.PutUint32(b[16:], fd)
	return b
}

// event is what poll_oneoff reports.
type event struct {
	userdata uint64
	err      errno
	kind     byte
	bytes    uint64
	flags    uint16
}

func (g *guest) pollOneoff(subs ...[]byte) []event {
	g.Helper()
	var in []byte
	for _, s := range subs {
		in = append(in, s...)
	}
	at, out, n := g.put(in), g.room(len(subs)*eventSize), g.room(4)
	g.ok("poll_oneoff", at, out, uint64(len(subs)), n)
	var events []event
	for i := range uint64(g.u32(n)) {
		b := out + i*eventSize
		events = append(events, event{g.u64(b), errno(g.u16(b + 8)), g.mem[b+10], g.u64(b + 16), g.u16(b + 24)})
	}
	return events
}

func TestPollClocks(t *testing.T) {
	// A guest stays on one thread, and clock 3 is that thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	g := newGuest(t, Config{}, socket.Config{})
	const wait = uint64(5 * time.Millisecond)
	for id := range uint32(4) {
		for _, flags := range []uint16{0, clockAbsolute} {
			timeout := wait
			if flags == clockAbsolute {
				now, err := host.Now(host.Clock(id))
				if err != nil {
					t.Fatal(err)
				}
				timeout += now
			}
			start := time.Now()
			got := g.pollOneoff(clockSub(7, id, timeout, flags), clockSub(8, id, 1<<62, 0))
			if len(got) != 1 || got[0] != (event{userdata: 7}) {
				t.Errorf("clock %d, flags %d: %+v", id, flags, got)
			}
			if took := time.Since(start); took < time.Duration(wait)*9/10 {
				t.Errorf("clock %d, flags %d: came after %v", id, flags, took)
			}
		}
	}
	if got := g.pollOneoff(clockSub(1, host9, 0, 0), clockSub(2, 0, 1, clockAbsolute), clockSub(3, 0, 0, 2)); len(got) != 3 ||
		got[0].err != errInval || got[1].err != ok || got[2].err != errInval {
		t.Errorf("unknown clock, time long past, unknown flag: %+v", got)
	}
	if got := g.pollOneoff(clockSub(1, 1, 1<<64-1, 0), clockSub(2, 1, 0, 0)); len(got) != 1 || got[0].userdata != 2 {
		t.Errorf("the end of time and now: %+v", got)
	}
	g.want(errInval, "poll_oneoff", 0, 0, 0, 0)
	g.want(errFault, "poll_oneoff", memorySize-47, 0, 1, 0)
	g.want(errFault, "poll_oneoff", 0, memorySize-31, 1, 0)
	g.want(errInval, "poll_oneoff", 0, 0, 0xffffffff, 0)
	bad := clockSub(0, 0, 0, 0)
	bad[8] = 3
	g.want(errInval, "poll_oneoff", g.put(bad), g.room(eventSize), 1, g.room(4))
}

// host9 is a clock that does not exist.
const host9 = 9

// pipes gives a guest whose stdin and stdout are pipes, and their other ends.
func pipes(t *testing.T) (g *guest, in, out *os.File) {
	t.Helper()
	r, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{r, in, out, w} {
		t.Cleanup(func() { f.Close() })
	}
	return newGuest(t, Config{Stdin: int(r.Fd()), Stdout: int(w.Fd())}, socket.Config{}), in, out
}

func TestPollDescriptors(t *testing.T) {
	g, in, _ := pipes(t)
	file := uint32(g.open("a", openCreat, readWrite, 0))
	g.write(uint64(file), "12345")
	g.ok("fd_seek", uint64(file), 2, 0, g.room(8))
	got := g.pollOneoff(fdSub(1, eventRead, 0), fdSub(2, eventWrite, 1), fdSub(3, eventRead, 99), fdSub(4, eventRead, file), clockSub(5, 1, 1<<62, 0))
	want := []event{{2, ok, eventWrite, writableBytes, 0}, {3, errBadf, eventRead, 0, 0}, {4, ok, eventRead, 3, 0}}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("event %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	if _, err := in.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if got := g.pollOneoff(fdSub(1, eventRead, 0), fdSub(2, eventRead, 0)); len(got) != 2 || got[0].bytes != 3 || got[1].userdata != 2 {
		t.Errorf("two subscriptions to a readable pipe: %+v", got)
	}
	if s := g.read(0); s != "abc" {
		t.Errorf("read %q", s)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if got := g.pollOneoff(fdSub(1, eventRead, 0)); len(got) != 1 || got[0].flags != eventHangup {
		t.Errorf("a pipe whose writer is gone: %+v", got)
	}
	g.ok("fd_fdstat_set_rights", 0, rightFdRead, 0)
	if got := g.pollOneoff(fdSub(1, eventRead, 0)); len(got) != 1 || got[0].err != errNotcapable {
		t.Errorf("without the right to poll: %+v", got)
	}
}

// TestStdioFlags shows that a guest's non-blocking stdin is its own affair.
func TestStdioFlags(t *testing.T) {
	g, in, out := pipes(t)
	iovs, _ := g.buffer(8)
	n := g.room(8)
	g.ok("fd_fdstat_set_flags", 0, uint64(flagNonBlock))
	g.want(6, "fd_read", 0, iovs, 1, n)
	stdin := g.h.table.get(0).stream.FD()
	if flags, err := unix.FcntlInt(uintptr(stdin), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("flags of stdin are %#x (%v)", flags, err)
	}
	if _, err := in.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if s := g.read(0); s != "x" {
		t.Errorf("read %q", s)
	}
	g.write(1, "to stdout")
	b := make([]byte, 16)
	if k, err := out.Read(b); err != nil || string(b[:k]) != "to stdout" {
		t.Errorf("stdout carried %q, %v", b[:k], err)
	}
	g.want(errNotcapable, "fd_seek", 0, 0, 0, n) // ESPIPE to wasi-libc
	at := g.room(64)
	g.ok("fd_filestat_get", 0, at)
	g.want(errNotdir, "fd_readdir", 0, at, 8, 0, n)
}

// TestFullPipe fills a pipe without waiting for its reader.
func TestFullPipe(t *testing.T) {
	g, _, _ := pipes(t)
	g.ok("fd_fdstat_set_flags", 1, uint64(flagNonBlock))
	iovs, _ := g.buffer(40000)
	n := g.room(4)
	for total := uint32(0); ; total += g.u32(n) {
		if e := g.call("fd_write", 1, iovs, 1, n); e == 6 {
			if total == 0 {
				t.Error("an empty pipe took nothing")
			}
			return
		} else if e != ok {
			t.Fatalf("errno %d", e)
		}
		if total > 1<<21 {
			t.Fatal("the pipe never gets full")
		}
	}
}
