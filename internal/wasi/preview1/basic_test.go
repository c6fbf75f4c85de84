//go:build linux

package preview1

import (
	"errors"
	"strings"
	"testing"

	"wherry/internal/engine"
	"wherry/internal/wasi/host/socket"
)

func TestStrings(t *testing.T) {
	g := newGuest(t, Config{Args: []string{"app", "", "ü"}, Env: []string{"A=b"}}, socket.Config{})
	for _, c := range []struct {
		name string
		want []string
	}{{"args", []string{"app", "", "ü"}}, {"environ", []string{"A=b"}}} {
		sizes := g.room(8)
		g.ok(c.name+"_sizes_get", sizes, sizes+4)
		count, size := g.u32(sizes), g.u32(sizes+4)
		if want := strings.Join(c.want, "\x00") + "\x00"; count != uint32(len(c.want)) || size != uint32(len(want)) {
			t.Fatalf("%s: %d strings in %d bytes", c.name, count, size)
		}
		pointers, data := g.room(4*int(count)), g.room(int(size))
		g.ok(c.name+"_get", pointers, data)
		for i, want := range c.want {
			p := g.u32(pointers + 4*uint64(i))
			if got, _, _ := strings.Cut(string(g.mem[p:]), "\x00"); got != want {
				t.Errorf("%s %d: %q, want %q", c.name, i, got, want)
			}
		}
		g.want(errFault, c.name+"_get", pointers, memorySize-uint64(size)+1)
		g.want(errFault, c.name+"_get", memorySize-4*uint64(count)+1, data)
		g.want(errFault, c.name+"_sizes_get", memorySize-3, data)
	}
	if _, err := New(Config{Args: []string{"a\x00b"}}); err == nil {
		t.Error("an argument with a NUL was accepted")
	}
}

func TestClocks(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	at := g.room(8)
	for id := range uint64(4) {
		g.ok("clock_res_get", id, at)
		if r := g.u64(at); r == 0 || r > 1e9 {
			t.Errorf("clock %d: resolution %d ns", id, r)
		}
		g.ok("clock_time_get", id, 0, at)
		first := g.u64(at)
		g.ok("clock_time_get", id, 0, at)
		if first == 0 || g.u64(at) < first {
			t.Errorf("clock %d went from %d to %d", id, first, g.u64(at))
		}
	}
	g.want(errInval, "clock_time_get", 4, 0, at)
	g.want(errInval, "clock_res_get", 1<<31, at)
	g.want(errFault, "clock_time_get", 0, 0, memorySize-7)
}

func TestRandom(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	g.ok("random_get", 0, memorySize)
	if strings.Contains(string(g.mem), strings.Repeat("\x00", 64)) {
		t.Error("64 zeros in a row are not random")
	}
	g.ok("random_get", memorySize, 0)
	g.want(errFault, "random_get", memorySize, 1)
	g.want(errFault, "random_get", 0xffffffff, 0xffffffff)
}

func TestExit(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	var exit *ExitError
	for _, c := range []struct {
		name  string
		param uint64
		code  uint32
	}{{"proc_exit", 0, 0}, {"proc_exit", 256, 256}, {"proc_exit", 0xffffffff, 0xffffffff}, {"proc_raise", 6, 134}, {"proc_raise", 15, 143}, {"proc_raise", 30, 159}} {
		if _, err := g.try(c.name, c.param); !errors.As(err, &exit) || exit.Code != c.code {
			t.Errorf("%s(%d): %v, want code %d", c.name, c.param, err, c.code)
		}
	}
	g.want(ok, "proc_raise", 16)
	g.want(errNotsup, "proc_raise", 18)
	g.want(errInval, "proc_raise", 31)
	g.want(ok, "sched_yield")
}

// TestResolve checks that the form of a function follows the declared type.
func TestResolve(t *testing.T) {
	g := newGuest(t, Config{}, socket.Config{})
	resolve := func(name, params string) *engine.HostFunc {
		f := function{params: params}
		x, found := g.h.Resolve(engine.Import{Module: Module, Name: name, Type: engine.ExternType{Func: f.typ()}})
		if !found {
			t.Fatalf("%s is not known", name)
		}
		return x.(*engine.HostFunc)
	}
	for _, c := range []struct {
		name, declared string
		want           int
	}{
		{"sock_accept", "ii", 2}, {"sock_accept", "iii", 3}, {"sock_accept", "i", 3}, {"sock_accept_v2", "iii", 3},
		{"sock_recv_from", "iiiiiii", 7}, {"sock_recv_from", "iiiiiiii", 8},
		{"sock_getlocaladdr", "iiii", 4}, {"sock_getlocaladdr", "iii", 3},
		{"sock_getpeeraddr", "iiii", 4}, {"sock_getpeeraddr", "iii", 3},
		{"fd_seek", "iiii", 4},
	} {
		if got := len(resolve(c.name, c.declared).Type.Params); got != c.want {
			t.Errorf("%s declared with (%s): %d parameters, want %d", c.name, c.declared, got, c.want)
		}
	}
	first, second := resolve("fd_read", "iiii"), resolve("fd_read", "iiii")
	if first != second {
		t.Error("one function was resolved to two things")
	}
	if resolve("fd_seek", "iiii").Type.Equal((&function{params: "iiii"}).typ()) {
		t.Error("a wrong type was taken over from the guest")
	}
	for _, imp := range []engine.Import{{Module: Module, Name: "fd_reed"}, {Module: "env", Name: "fd_read"}} {
		if _, found := g.h.Resolve(imp); found {
			t.Errorf("%s.%s is known", imp.Module, imp.Name)
		}
	}
}
