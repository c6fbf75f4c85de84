//go:build linux

package preview1

import (
	"testing"

	"wherry/internal/engine"
	"wherry/internal/wasi/host/socket"
)

// benchmark calls one function again and again.
func (g *guest) benchmark(b *testing.B, name string, params ...uint64) {
	b.Helper()
	f := functions[name][0]
	x, found := g.h.Resolve(engine.Import{Module: Module, Name: name, Type: engine.ExternType{Func: f.typ()}})
	if !found {
		b.Fatal(name)
	}
	call, stack := x.(*engine.HostFunc).Call, make([]uint64, 16)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		copy(stack, params)
		if err := call(g, stack); err != nil || stack[0] != 0 {
			b.Fatal(stack[0], err)
		}
	}
}

func BenchmarkClockTimeGet(b *testing.B) {
	g := newGuest(b, Config{}, socket.Config{})
	g.benchmark(b, "clock_time_get", 1, 0, g.room(8))
}

func BenchmarkFdPwrite4K(b *testing.B) {
	g := newGuest(b, Config{}, socket.Config{})
	iovs, _ := g.buffer(4096)
	g.benchmark(b, "fd_pwrite", g.open("a", openCreat, readWrite|rightFdSeek, 0), iovs, 1, 0, g.room(4))
}

func BenchmarkFdPread4K(b *testing.B) {
	g := newGuest(b, Config{}, socket.Config{})
	fd := g.open("a", openCreat, readWrite|rightFdSeek, 0)
	iovs, _ := g.buffer(4096)
	g.ok("fd_write", fd, iovs, 1, g.room(4))
	g.benchmark(b, "fd_pread", fd, iovs, 1, 0, g.room(4))
}

// BenchmarkSocketEcho is a message there and back within a guest: two sends and
// two receives.
func BenchmarkSocketEcho(b *testing.B) {
	g := newGuest(b, Config{}, private())
	_, c, s := g.connection()
	iovs, _ := g.buffer(64)
	n := g.room(8)
	b.ReportAllocs()
	for b.Loop() {
		for _, step := range []struct {
			name string
			fd   uint64
		}{{"fd_write", c}, {"fd_read", s}, {"fd_write", s}, {"fd_read", c}} {
			g.ok(step.name, step.fd, iovs, 1, n)
		}
	}
}
