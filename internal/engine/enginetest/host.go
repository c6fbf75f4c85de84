package enginetest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"wherry/internal/engine"
)

var mixType = funcType(
	types(engine.I32, engine.I64, engine.F32, engine.F64, engine.V128),
	types(engine.V128, engine.F64, engine.F32, engine.I64, engine.I32))

// hostStubs are the imports of host.wat, each failing if it is called.
func hostStubs() externs {
	x := externs{}
	for name, t := range map[string]engine.FuncType{
		"mix":       mixType,
		"swap":      funcType(types(engine.I32, engine.I32), types(engine.I32, engine.I32)),
		"sum":       funcType(types(engine.I32, engine.I32), types(engine.I32)),
		"exit":      funcType(types(engine.I32), nil),
		"panic":     funcType(types(engine.I32), nil),
		"back":      funcType(types(engine.I32), types(engine.I32)),
		"reference": funcType(types(engine.FuncRef, engine.ExternRef), types(engine.ExternRef)),
	} {
		x[name] = &engine.HostFunc{Type: t, Call: func(engine.Caller, []uint64) error {
			return fmt.Errorf("host function %s is not expected here", name)
		}}
	}
	return x
}

// answer replaces one stub.
func (x externs) answer(name string, f func(c engine.Caller, stack []uint64) error) {
	x[name] = &engine.HostFunc{Type: x[name].(*engine.HostFunc).Type, Call: f}
}

func (s Subject) hostValues(t *testing.T) {
	var seen []uint64
	x := hostStubs()
	x.answer("mix", func(_ engine.Caller, st []uint64) error {
		seen = append([]uint64(nil), st[:6]...)
		i32, i64, f32, f64, lo, hi := st[0], st[1], st[2], st[3], st[4], st[5]
		copy(st, []uint64{hi, lo, f64, f32, i64, i32})
		return nil
	})
	x.answer("swap", func(_ engine.Caller, st []uint64) error {
		seen = append([]uint64(nil), st...)
		st[0], st[1] = st[1]|7<<32, st[0]|7<<32 // what is above an i32 must not matter
		return nil
	})
	x.answer("reference", func(_ engine.Caller, st []uint64) error {
		if st[0] == 0 || st[1] != 0 {
			return fmt.Errorf("got references %#x, want one and null", st)
		}
		st[0] = st[1]
		return nil
	})
	in := s.guest(t, "host", x)

	const i32, i64 = 0x89abcdef, 0xfedcba9876543210
	f32, f64 := uint64(math.Float32bits(-1.5)), math.Float64bits(math.Pi)
	wants(t, in, []uint64{0x2222, 0x1111, f64, f32, i64, i32}, "mix", i32, i64, f32, f64, 0x1111, 0x2222)
	if want := []uint64{i32, i64, f32, f64, 0x1111, 0x2222}; fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("the host saw %#x, want %#x", seen, want)
	}
	wants(t, in, []uint64{0xfffffffe, 0xffffffff}, "narrow")
	if want := []uint64{0xffffffff, 0xfffffffe}; fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("the host saw %#x, want %#x", seen, want)
	}
	wants(t, in, []uint64{1}, "reference")
}

// exitError is as proc_exit's: found by its type, with a value inside.
type exitError struct{ code uint32 }

func (e *exitError) Error() string { return fmt.Sprint("exit ", e.code) }

func (s Subject) hostError(t *testing.T) {
	x := hostStubs()
	x.answer("exit", func(_ engine.Caller, st []uint64) error {
		return fmt.Errorf("wrapped: %w", &exitError{uint32(st[0])})
	})
	var in engine.Instance
	x.answer("back", func(_ engine.Caller, st []uint64) error {
		_, err := in.Call(ctx, "exit deep", 50, st[0]) // the guest ends inside this call
		return err
	})
	in = s.guest(t, "host", x)
	for _, c := range []struct {
		name   string
		params []uint64
		code   uint32
	}{
		{"exit deep", []uint64{0, 0}, 0},
		{"exit deep", []uint64{700, 42}, 42},
		{"back", []uint64{3}, 3},
		{"exit deep", []uint64{0, math.MaxUint32}, math.MaxUint32},
	} {
		_, err := in.Call(ctx, c.name, c.params...)
		var exit *exitError
		if !errors.As(err, &exit) || exit.code != c.code {
			t.Errorf("%s%v: got %v, want exit %d", c.name, c.params, err, c.code)
		}
		var trap *engine.Trap
		if errors.As(err, &trap) {
			t.Errorf("%s%v: the host's error came as a trap: %v", c.name, c.params, err)
		}
	}
}

func (s Subject) hostPanic(t *testing.T) {
	x := hostStubs()
	x.answer("panic", func(_ engine.Caller, st []uint64) error {
		switch st[0] {
		case 0:
			panic("plain\nwords")
		case 1:
			panic(errors.New("an error"))
		case 2:
			var m map[string]int
			//lint:ignore SA5000 this panic is what is tried
			m["x"] = 1
		}
		return nil
	})
	x.answer("sum", func(engine.Caller, []uint64) error { return nil })
	in := s.guest(t, "host", x)
	for kind, want := range []string{"plain words", "an error", "nil map"} {
		trap := trapOf(t, in, "panic", uint64(kind))
		if trap.Code != engine.TrapHost || !strings.Contains(trap.Detail, want) || !strings.Contains(trap.Detail, " at host.go:") {
			t.Errorf("panic %d: got %v, want %q and its place in this file", kind, trap, want)
		}
		if strings.Contains(trap.Error(), "\n") {
			t.Errorf("panic %d: more than a line: %q", kind, trap.Error())
		}
		if len(trap.Frames) == 0 || trap.Frames[len(trap.Frames)-1].Func != "panicking" {
			t.Errorf("panic %d: got frames %v, want panicking", kind, trap.Frames)
		}
	}
	call(t, in, "panic", 3) // no panic, and all still works
}

// hostReentry: guest, host, guest and so on; the caller's memory stays right
// though the inner call made it grow.
func (s Subject) hostReentry(t *testing.T) {
	x := hostStubs()
	var in engine.Instance
	x.answer("back", func(c engine.Caller, st []uint64) error {
		n := st[0]
		before := len(c.Memory())
		if n == 0 {
			st[0] = uint64(before)
			return nil
		}
		if _, err := in.Call(ctx, "grow"); err != nil {
			return err
		}
		if got := len(c.Memory()); got != before+65536 {
			return fmt.Errorf("after the guest grew its memory the caller sees %d bytes, want %d", got, before+65536)
		}
		if _, err := in.Call(ctx, "poke", uint64(before), n); err != nil {
			return err
		}
		if got := c.Memory()[before]; got != byte(n) {
			return fmt.Errorf("the guest wrote %d, the caller sees %d", n, got)
		}
		r, err := in.Call(ctx, "back", n-1)
		if err != nil {
			return err
		}
		st[0] = r[0]
		return nil
	})
	in = s.guest(t, "host", x)
	wants(t, in, []uint64{6 * 65536}, "back", 5)
}

func (s Subject) callerMemory(t *testing.T) {
	x := hostStubs()
	x.answer("sum", func(c engine.Caller, st []uint64) error {
		var sum uint64
		for _, b := range c.Memory()[st[0]:][:st[1]] {
			sum += uint64(b)
		}
		c.Memory()[0] = 99
		st[0] = sum
		return nil
	})
	in := s.guest(t, "host", x)
	wants(t, in, []uint64{10}, "sum")
	if got := in.Memory("memory"); len(got) != 65536 || got[0] != 99 {
		t.Errorf("the instance's memory has %d bytes and begins with %d, want 65536 and 99", len(got), got[0])
	}
	if in.Memory("none") != nil || in.Memory("sum") != nil {
		t.Error("something that is no exported memory was given as one")
	}

	look := &engine.HostFunc{Type: funcType(nil, types(engine.I32)), Call: func(c engine.Caller, st []uint64) error {
		st[0] = 1
		if c.Memory() == nil {
			st[0] = 0
		}
		return nil
	}}
	hidden := s.guest(t, "nomemory", externs{"look": look})
	wants(t, hidden, []uint64{0}, "look")
	if len(hidden.Memory("other")) != 65536 {
		t.Error(`the memory exported as "other" was not found`)
	}
}
