//go:build linux

package preview1

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"wherry/internal/engine"
	"wherry/internal/wasi/host/socket"
	"wherry/internal/wasi/host/tree"
)

// memorySize is the size of a test guest's memory.
const memorySize = 1 << 16

// guest calls a host as a guest would: through Resolve, with its own memory.
type guest struct {
	testing.TB
	h   *Host
	mem memory
	// next is where the next thing that is put into memory goes.
	next uint32
}

func (g *guest) Memory() []byte { return g.mem }

// newGuest makes a guest with an empty tree and a network. Its standard streams
// are the null device unless c says otherwise.
func newGuest(t testing.TB, c Config, net socket.Config) *guest {
	t.Helper()
	g := &guest{TB: t, mem: make(memory, memorySize), next: 1024}
	root, err := tree.New(tree.Config{Upper: filepath.Join(t.TempDir(), "upper"), NoDevices: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	network, err := socket.New(net)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { network.Close() })
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	for _, fd := range []*int{&c.Stdin, &c.Stdout, &c.Stderr} {
		if *fd == 0 {
			*fd = int(null.Fd())
		}
	}
	c.Root, c.Net = root, network
	if g.h, err = New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.h.Close(); err != nil {
			t.Errorf("closing the host: %v", err)
		}
	})
	return g
}

// call calls a function, in the form that has this many parameters.
func (g *guest) call(name string, params ...uint64) errno {
	g.Helper()
	e, err := g.try(name, params...)
	if err != nil {
		g.Fatalf("%s%v: %v", name, params, err)
	}
	return e
}

func (g *guest) try(name string, params ...uint64) (errno, error) {
	g.Helper()
	for i := range functions[name] {
		f := &functions[name][i]
		if len(f.params) != len(params) {
			continue
		}
		x, found := g.h.Resolve(engine.Import{Module: Module, Name: name, Type: engine.ExternType{Func: f.typ()}})
		if !found {
			g.Fatalf("%s is not resolved", name)
		}
		stack := append([]uint64(nil), params...)
		for i, c := range f.params {
			if c == 'i' {
				stack[i] |= 0xdead << 32 // means nothing
			}
		}
		stack = append(stack, 0)
		err := x.(*engine.HostFunc).Call(g, stack)
		return errno(stack[0]), err
	}
	g.Fatalf("%s has no form with %d parameters", name, len(params))
	return 0, nil
}

// ok calls a function that must succeed.
func (g *guest) ok(name string, params ...uint64) {
	g.Helper()
	if e := g.call(name, params...); e != ok {
		g.Fatalf("%s%v: errno %d", name, params, e)
	}
}

// want calls a function that must answer an errno.
func (g *guest) want(e errno, name string, params ...uint64) {
	g.Helper()
	if got := g.call(name, params...); got != e {
		g.Errorf("%s%v: errno %d, want %d", name, params, got, e)
	}
}

// room reserves zeroed memory.
func (g *guest) room(n int) uint64 {
	g.Helper()
	at := (g.next + 15) &^ 15
	g.next = at + uint32(n)
	if uint64(g.next) > uint64(len(g.mem)) {
		g.Fatal("the test guest's memory is full")
	}
	clear(g.mem[at:g.next])
	return uint64(at)
}

// put puts bytes into memory.
func (g *guest) put(b []byte) uint64 {
	g.Helper()
	at := g.room(len(b))
	copy(g.mem[at:], b)
	return at
}

// text gives a string as the pointer and length of a call.
func (g *guest) text(s string) (ptr, n uint64) { return g.put([]byte(s)), uint64(len(s)) }

// words puts numbers of four bytes into memory.
func (g *guest) words(list ...uint64) uint64 {
	var b []byte
	for _, v := range list {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return g.put(b)
}

// buffer makes a list of one buffer of n bytes.
func (g *guest) buffer(n int) (iovs, data uint64) {
	data = g.room(n)
	return g.words(data, uint64(n)), data
}

// content makes a list of one buffer that holds a text.
func (g *guest) content(s string) (iovs uint64) {
	p, n := g.text(s)
	return g.words(p, n)
}

func (g *guest) u16(at uint64) uint16 { return binary.LittleEndian.Uint16(g.mem[at:]) }
func (g *guest) u32(at uint64) uint32 { return binary.LittleEndian.Uint32(g.mem[at:]) }
func (g *guest) u64(at uint64) uint64 { return binary.LittleEndian.Uint64(g.mem[at:]) }

// open opens a path below descriptor 3.
func (g *guest) open(path string, oflags, rights, fdflags uint64) uint64 {
	g.Helper()
	p, n := g.text(path)
	fd := g.room(4)
	g.ok("path_open", 3, lookupFollow, p, n, oflags, rights, 0, fdflags, fd)
	return uint64(g.u32(fd))
}

// write writes a text to a descriptor.
func (g *guest) write(fd uint64, text string) {
	g.Helper()
	n := g.room(4)
	g.ok("fd_write", fd, g.content(text), 1, n)
	if g.u32(n) != uint32(len(text)) {
		g.Fatalf("wrote %d of %d bytes", g.u32(n), len(text))
	}
}

// read reads up to 256 bytes from a descriptor.
func (g *guest) read(fd uint64) string {
	g.Helper()
	iovs, data := g.buffer(256)
	n := g.room(4)
	g.ok("fd_read", fd, iovs, 1, n)
	return string(g.mem[data : data+uint64(g.u32(n))])
}
