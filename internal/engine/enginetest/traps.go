package enginetest

import (
	"errors"
	"strings"
	"testing"

	"wherry/internal/engine"
)

// trapOf calls a function that must trap.
func trapOf(t testing.TB, in engine.Instance, name string, params ...uint64) *engine.Trap {
	t.Helper()
	_, err := in.Call(ctx, name, params...)
	var trap *engine.Trap
	if !errors.As(err, &trap) {
		t.Fatalf("call of %q: got %v, want a trap", name, err)
	}
	return trap
}

func (s Subject) traps(t *testing.T) {
	in := s.guest(t, "traps", nil)
	for _, c := range []struct {
		export string
		want   engine.TrapCode
		params []uint64
	}{
		{"unreachable", engine.TrapUnreachable, nil},
		{"load", engine.TrapMemoryBounds, nil},
		{"fill", engine.TrapMemoryBounds, nil},
		{"table", engine.TrapTableBounds, nil},
		{"table get", engine.TrapTableBounds, nil},
		{"null", engine.TrapIndirectNull, nil},
		{"mismatch", engine.TrapIndirectMismatch, nil},
		{"overflow", engine.TrapIntegerOverflow, nil},
		{"trunc overflow", engine.TrapIntegerOverflow, nil},
		{"divide", engine.TrapDivideByZero, []uint64{0}},
		{"remainder", engine.TrapDivideByZero, nil},
		{"nan", engine.TrapBadConversion, nil},
		{"stack", engine.TrapStackOverflow, nil},
	} {
		t.Run(c.export, func(t *testing.T) {
			want := c.want
			if own, ok := s.Codes[c.export]; ok {
				want = own
			}
			trap := trapOf(t, in, c.export, c.params...)
			if trap.Code != want {
				t.Errorf("got %q, want %q", trap.Code, want)
			}
			if text := trap.Error(); !strings.HasPrefix(text, "wasm trap: "+string(want)) || strings.Contains(text, "\n") {
				t.Errorf("the error is not one plain line: %q", text)
			}
			if len(trap.Frames) == 0 && !(s.NoOverflowFrames && want == engine.TrapStackOverflow) {
				t.Error("there is no backtrace")
			}
		})
	}
	trap := trapOf(t, in, "unreachable")
	if len(trap.Frames) < 3 || trap.Frames[0].Func != "inner" || trap.Frames[1].Func != "outer" {
		t.Errorf("got frames %v, want inner, outer and a nameless one", trap.Frames)
	} else if last := trap.Frames[2].Func; !strings.HasPrefix(last, "func[") {
		t.Errorf("a nameless function is called %q, want func[number]", last)
	}
	if lines := strings.Count(trap.Backtrace(), "\n"); lines != len(trap.Frames) {
		t.Errorf("the backtrace has %d lines for %d frames:\n%s", lines, len(trap.Frames), trap.Backtrace())
	}
	// The instance is usable after all that.
	wants(t, in, []uint64{1}, "divide", 1)
}

// stack: a larger limit lets a guest go deeper, and a bad one is refused.
func (s Subject) stack(t *testing.T) {
	e := s.open(t)
	m := compile(t, e, "host")
	hit := errors.New("the bottom")
	x := hostStubs()
	x["exit"] = &engine.HostFunc{Type: funcType(types(engine.I32), nil), Call: func(engine.Caller, []uint64) error { return hit }}
	dive := func(l engine.Limits, depth uint64) error {
		in := instantiate(t, newStore(t, e, l), m, x)
		_, err := in.Call(ctx, "exit deep", depth, 0)
		return err
	}
	var trap *engine.Trap
	if err := dive(engine.Limits{}, 1000); !errors.Is(err, hit) {
		t.Errorf("1000 frames on the default stack: got %v, want the host's error", err)
	}
	if s.NoStackLimit {
		return
	}
	const deep = 100_000
	if err := dive(engine.Limits{}, deep); !errors.As(err, &trap) || trap.Code != engine.TrapStackOverflow {
		t.Errorf("%d frames on 1 MiB: got %v, want a stack overflow", deep, err)
	}
	if err := dive(engine.Limits{StackBytes: 7 << 20}, deep); !errors.Is(err, hit) {
		t.Errorf("%d frames on 7 MiB: got %v, want the host's error", deep, err)
	}
	if err := dive(engine.Limits{StackBytes: 64 << 10}, 10_000); !errors.As(err, &trap) || trap.Code != engine.TrapStackOverflow {
		t.Errorf("10000 frames on 64 KiB: got %v, want a stack overflow", err)
	}
	for _, bad := range []uint64{1, 1 << 40} {
		if st, err := e.NewStore(engine.Limits{StackBytes: bad}); err == nil {
			st.Close()
			t.Errorf("a stack of %d bytes was accepted", bad)
		}
	}
}

// recoverAfterTraps: engines handle SIGSEGV and SIGFPE for their guests; Go
// needs them for its own nil dereferences too.
func (s Subject) recoverAfterTraps(t *testing.T) {
	in := s.guest(t, "traps", nil)
	for _, name := range []string{"load", "stack", "unreachable", "remainder"} {
		trapOf(t, in, name)
		if got := nilDereference(); got == nil || !strings.Contains(got.Error(), "nil pointer") {
			t.Errorf("after the trap %q: a nil dereference gave %v", name, got)
		}
	}
}

func nilDereference() (err error) {
	defer func() { err, _ = recover().(error) }()
	var p *struct{ field [1 << 12]int }
	return errors.New(strings.Repeat("x", p.field[7]))
}
