package enginetest

import (
	"errors"
	"math"
	"strings"
	"testing"

	"wherry/internal/engine"
)

const page = 65536

func (s Subject) memoryLimits(t *testing.T) {
	e := s.open(t)
	m := compile(t, e, "memory")
	const failed = math.MaxUint32

	in := instantiate(t, newStore(t, e, engine.Limits{MemoryBytes: 5*page + 100}), m, nil)
	wants(t, in, []uint64{2}, "grow", 3)
	wants(t, in, []uint64{failed}, "grow", 1)
	wants(t, in, []uint64{5}, "size")
	call(t, in, "touch", 5*page-1)
	if trap := trapOf(t, in, "touch", 5*page); trap.Code != engine.TrapMemoryBounds {
		t.Errorf("a byte beyond the limit: got %v", trap)
	}
	if got := in.Memory("memory"); len(got) != 5*page || got[5*page-1] != 9 {
		t.Errorf("the host sees %d bytes, want %d with the guest's 9 at the end", len(got), 5*page)
	}

	if _, err := newStore(t, e, engine.Limits{MemoryBytes: page}).Instantiate(ctx, m, externs{}.resolve); err == nil ||
		!strings.Contains(err.Error(), "2 pages") || !strings.Contains(err.Error(), "65536 bytes") {
		t.Errorf("a memory that begins beyond the limit: got %v, want both sizes named", err)
	}

	// Without a limit a memory has what an address of 32 bits reaches, or little less.
	free := instantiate(t, newStore(t, e, engine.Limits{}), m, nil)
	wants(t, free, []uint64{2}, "grow", 20000)
	call(t, free, "touch", 20000*page)
	wants(t, free, []uint64{failed}, "grow", 65536)
}

func (s Subject) tableLimits(t *testing.T) {
	e := s.open(t)
	m := compile(t, e, "memory")
	in := instantiate(t, newStore(t, e, engine.Limits{TableElements: 10}), m, nil)
	wants(t, in, []uint64{2}, "grow table", 8)
	wants(t, in, []uint64{math.MaxUint32}, "grow table", 1)
	// Without a limit of their own tables have one by the memory's, or at all.
	for memory, most := range map[uint64]uint64{64 << 20: 2 << 20, 0: 10_000_000} {
		in := instantiate(t, newStore(t, e, engine.Limits{MemoryBytes: memory}), m, nil)
		wants(t, in, []uint64{math.MaxUint32}, "grow table", most-1)
		wants(t, in, []uint64{2}, "grow table", most-2)
	}
	if _, err := newStore(t, e, engine.Limits{TableElements: 1}).Instantiate(ctx, m, externs{}.resolve); err == nil ||
		!strings.Contains(err.Error(), "2 elements") {
		t.Errorf("a table that begins beyond the limit: got %v", err)
	}
}

func (s Subject) start(t *testing.T) {
	e := s.open(t)
	var seen string
	calls := 0
	x := externs{"seen": &engine.HostFunc{Call: func(c engine.Caller, _ []uint64) error {
		calls++
		seen = string(c.Memory()[:5])
		return nil
	}}}
	instantiate(t, newStore(t, e, engine.Limits{}), compile(t, e, "start"), x)
	if calls != 1 || seen != "ready" {
		t.Errorf("the start function ran %d times and the host saw %q, want once and %q", calls, seen, "ready")
	}

	exit := &exitError{5}
	x["seen"] = &engine.HostFunc{Call: func(engine.Caller, []uint64) error { return exit }}
	var got *exitError
	if _, err := newStore(t, e, engine.Limits{}).Instantiate(ctx, compile(t, e, "start"), x.resolve); !errors.As(err, &got) || got != exit {
		t.Errorf("a start function that the host ends: got %v, want its error", err)
	}
	var trap *engine.Trap
	_, err := newStore(t, e, engine.Limits{}).Instantiate(ctx, compile(t, e, "starttrap"), externs{}.resolve)
	if !errors.As(err, &trap) || trap.Code != engine.TrapUnreachable || len(trap.Frames) == 0 || trap.Frames[0].Func != "begin" {
		t.Errorf("a start function that traps: got %v, want its trap and frame", err)
	}
}
