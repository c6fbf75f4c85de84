package enginetest

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"wherry/internal/engine"
)

func (s Subject) values(t *testing.T) {
	in := s.guest(t, "values", nil)
	neg := func(v int32) uint64 { return uint64(uint32(v)) }
	wants(t, in, []uint64{1 << 40, 7, uint64(math.Float32bits(1.5)), math.Float64bits(-2.5)}, "multi", 7, 1<<40)
	wants(t, in, []uint64{0x0000000500000003, 0x0000000900000007}, "simd",
		0x0000000200000001, 0x0000000400000003, 0x0000000300000002, 0x0000000500000004)
	wants(t, in, []uint64{0}, "bulk")
	if got := string(in.Memory("memory")[200:207]); got != "pas\x00ive" {
		t.Errorf("bulk memory left %q, want %q", got, "pas\x00ive")
	}
	wants(t, in, []uint64{1, 7, 2, neg(-1)}, "references")
	wants(t, in, []uint64{0}, "echo", 0)
	wants(t, in, []uint64{neg(-128), uint64(math.MaxUint64 - 127), math.MaxInt32}, "extend", neg(-128))
	wants(t, in, []uint64{neg(-1), math.MaxUint64, math.MaxInt32}, "extend", math.MaxUint64)
}

func (s Subject) callErrors(t *testing.T) {
	in := s.guest(t, "values", nil)
	for _, name := range []string{"nothing", "memory", "table", ""} {
		if _, err := in.Call(ctx, name); !errors.Is(err, engine.ErrNoExport) {
			t.Errorf("call of %q: got %v, want ErrNoExport", name, err)
		}
	}
	for _, params := range [][]uint64{nil, {1}, {1, 2, 3}} {
		if _, err := in.Call(ctx, "multi", params...); err == nil || !strings.Contains(err.Error(), "want 2") {
			t.Errorf("call with %d parameters: got %v, want an error that names 2", len(params), err)
		}
	}
	if _, err := in.Call(ctx, "echo", 0xdeadbeef); err == nil || !strings.Contains(err.Error(), "externref") {
		t.Errorf("a made-up reference: got %v, want a refusal", err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := in.Call(over, "bulk"); !errors.Is(err, context.Canceled) {
		t.Errorf("a call with a cancelled context: got %v", err)
	}
}
