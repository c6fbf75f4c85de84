//go:build linux

package preview1

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wherry/internal/engine"
	"wherry/internal/engine/engines"
)

// outputs says where a function may write, in places of its memory: "1:8" are
// 8 bytes where parameter 1 points, "0:@1" as many as parameter 1 says, "2:@1*32"
// 32 times that, "iov" the buffers of the list at parameter 1 with as many
// entries as parameter 2 says, "addr3" the buffer that the address at parameter
// 3 names. Forms are divided by "|". A guest of these tests has one argument
// and one variable.
var outputs = map[string]string{
	"args_get": "0:4 1:2", "args_sizes_get": "0:4 1:4", "environ_get": "0:4 1:4", "environ_sizes_get": "0:4 1:4",
	"clock_res_get": "1:8", "clock_time_get": "2:8", "random_get": "0:@1",
	"poll_oneoff": "1:@2*32 3:4", "epoll_oneoff": "1:@2*32 3:4",
	"fd_fdstat_get": "1:24", "fd_filestat_get": "1:64", "fd_pread": "iov 4:4", "fd_prestat_get": "1:8", "fd_prestat_dir_name": "1:@2",
	"fd_pwrite": "4:4", "fd_read": "iov 3:4", "fd_readdir": "1:@2 4:4", "fd_seek": "3:8", "fd_tell": "1:8", "fd_write": "3:4",
	"path_filestat_get": "4:64", "path_open": "8:4", "path_readlink": "3:@4 5:4",
	"sock_accept": "1:4|2:4", "sock_accept_v2": "2:4", "sock_recv": "iov 4:4 5:2", "sock_recv_v2": "iov 4:4 5:2",
	"sock_send": "4:4", "sock_send_v2": "4:4", "sock_open": "2:4", "sock_open_v2": "2:4", "sock_send_to": "6:4", "sock_send_to_v2": "6:4",
	"sock_recv_from": "iov addr3 5:4 6:2|iov addr3 5:4 6:4 7:2", "sock_recv_from_v2": "iov addr3 5:4 6:4 7:2",
	"sock_getlocaladdr": "addr1 2:4 3:4|addr1 2:4", "sock_getpeeraddr": "addr1 2:4 3:4|addr1 2:4",
	"sock_getlocaladdr_v2": "addr1 2:4", "sock_getpeeraddr_v2": "addr1 2:4", "sock_getsockopt": "3:@*4 4:4",
	// sock_getaddrinfo follows pointers of the guest's to the end of a chain;
	// its own tests look at what it writes.
	"sock_getaddrinfo": "all",
}

// expected gives a copy of memory in which whatever a call may write is taken
// from after, so that the copy is after if nothing else was written.
func expected(before, after memory, name string, last bool, p args) memory {
	want := slices.Clone(before)
	give := func(at, n uint32) {
		if b, inside := want.bytes(at, n); inside {
			copy(b, after[at:])
		}
	}
	places, second, _ := strings.Cut(outputs[name], "|")
	if last && second != "" {
		places = second
	}
	for _, place := range strings.Fields(places) {
		index, size, _ := strings.Cut(place, ":")
		switch {
		case place == "all":
			return after
		case place == "iov":
			for i := range min(p.u32(2), uint32(len(before)/8)) {
				at, inside := before.u32(p.u32(1) + 8*i)
				n, inside2 := before.u32(p.u32(1) + 8*i + 4)
				if inside && inside2 {
					give(at, n)
				}
			}
		case strings.HasPrefix(place, "addr"):
			i, _ := strconv.Atoi(place[4:])
			at, inside := before.u32(p.u32(i))
			n, inside2 := before.u32(p.u32(i) + 4)
			if inside && inside2 {
				give(at, n)
			}
			give(p.u32(i)+4, 4) // and the length that it has now
		default:
			i, _ := strconv.Atoi(index)
			times, scale, found := strings.Cut(strings.TrimPrefix(size, "@"), "*")
			n, _ := strconv.Atoi(times)
			count := uint32(n)
			if strings.HasPrefix(size, "@") && times == "" { // as many as a number in memory says
				at, _ := strconv.Atoi(scale)
				count, _ = before.u32(p.u32(at))
			} else if strings.HasPrefix(size, "@") {
				if count = p.u32(n); found {
					k, _ := strconv.Atoi(scale)
					count *= uint32(k)
				}
			}
			give(p.u32(i), count)
		}
	}
	return want
}

// coded is a puppet's code on an engine: one with the first form of each
// function, and one with the last.
type coded struct {
	engine      engine.Engine
	first, last engine.Module
}

// newPuppets are puppets with all functions on every engine of this build.
func newPuppets(t testing.TB) (list []coded) {
	t.Helper()
	for _, name := range engines.Names() {
		e, err := engines.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		c := coded{engine: e}
		for last, m := range map[bool]*engine.Module{false: &c.first, true: &c.last} {
			if *m, err = e.Compile(t.Context(), puppet(last, everything()...)); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { (*m).Close() })
		}
		list = append(list, c)
	}
	return list
}

// fuzzedCalls is how many calls a guest of FuzzCalls makes at most, and
// fuzzedTime how long they may take together.
const (
	fuzzedCalls = 64
	fuzzedTime  = 20 * time.Second
)

// FuzzCalls makes a guest of bytes on every engine: its memory, and calls of up
// to 9 parameters. Nothing may panic or take long, no call may write what is
// none of its results, no file outside may be read, and the process's
// descriptors are given back.
func FuzzCalls(f *testing.F) {
	names := everything()
	f.Add([]byte("../../secret\x00/etc/passwd"), []byte{0}, false)
	for i := range names {
		call := []byte{byte(i)}
		for j := range uint32(9) {
			call = binary.LittleEndian.AppendUint32(call, j)
		}
		for _, last := range []bool{false, true} {
			f.Add([]byte("file\x00\x00\x00\x00\x10\x00\x00\x00\x04\x00\x00\x00"), slices.Repeat(call, 2), last)
		}
		// And one with every pointer at the end of memory.
		for j := 5; j < len(call); j += 4 {
			binary.LittleEndian.PutUint32(call[j:], memorySize-4)
		}
		f.Add([]byte(nil), call, true)
	}
	all := newPuppets(f)
	f.Fuzz(func(t *testing.T, content, calls []byte, last bool) {
		for _, c := range all {
			open := openDescriptors(t)
			end := &scope{TB: t}
			begin := time.Now()
			g, m := hostile(end), c.first
			if last {
				m = c.last
			}
			w := newWorld(end, c.engine, m, g.h)
			w.fuzz(g.h, content, calls, last)
			end.close()
			if took := time.Since(begin); took > fuzzedTime {
				t.Errorf("%s: the calls took %v", w.name, took)
			}
			if now := openDescriptors(t); now > open {
				t.Errorf("%s: %d descriptors of the process before, %d after", w.name, open, now)
			}
		}
	})
}

// fuzz makes the calls that the bytes stand for.
func (w *world) fuzz(h *Host, content, calls []byte, last bool) {
	names := everything()
	copy(w.mem, content)
	for n := 0; len(calls) > 0 && n < fuzzedCalls; n++ {
		name := names[int(calls[0])%len(names)]
		f := form(name, last)
		calls = calls[1:]
		p := make([]uint64, len(f.params))
		for i, c := range f.params {
			var b [4]byte
			calls = calls[copy(b[:], calls):]
			if p[i] = uint64(binary.LittleEndian.Uint32(b[:])); c == 'I' {
				p[i] = uint64(int64(int32(p[i]))) // negative ones too
			}
		}
		tame(h, w.mem, name, p)
		before := slices.Clone(w.mem)
		_, err := w.try(name, p...)
		if err != nil && f.end == nil {
			w.Fatalf("%s: %s%v: %v", w.name, name, p, err)
		}
		if want := expected(before, w.mem, name, last, p); !bytes.Equal(want, w.mem) {
			at := 0
			for want[at] == w.mem[at] {
				at++
			}
			w.Fatalf("%s: %s%v wrote at %#x, which is none of its results", w.name, name, p, at)
		}
		if len(h.table.slots) > maxDescriptors {
			w.Fatalf("%s: the table has %d descriptors", w.name, len(h.table.slots))
		}
	}
	if bytes.Contains(w.mem, []byte(secret)) {
		w.Fatalf("%s: the guest read a file outside", w.name)
	}
}

// openDescriptors counts those of this process.
func openDescriptors(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
