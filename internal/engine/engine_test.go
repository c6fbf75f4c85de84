package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCheckParams(t *testing.T) {
	typ := FuncType{Params: []ValueType{I32, V128, ExternRef}}
	for _, c := range []struct {
		params []uint64
		want   string
	}{
		{[]uint64{1, 2, 3, 0}, ""},
		{[]uint64{1, 2, 3}, `call of "f": got 3 parameter slots, want 4 for (i32, v128, externref) -> ()`},
		{[]uint64{1, 2, 3, 4}, `call of "f": only a null externref can be passed`},
	} {
		got := ""
		if err := typ.CheckParams("f", c.params); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%v: got %q, want %q", c.params, got, c.want)
		}
	}
}

func TestImportable(t *testing.T) {
	memory := func(min, max uint64, has bool) ExternType {
		return ExternType{Kind: KindMemory, Min: min, Max: max, HasMax: has}
	}
	table := func(v ValueType, min uint64) ExternType { return ExternType{Kind: KindTable, Value: v, Min: min} }
	for _, c := range []struct {
		want, have ExternType
		ok         bool
	}{
		{memory(1, 0, false), memory(1, 0, false), true},
		{memory(1, 0, false), memory(5, 9, true), true},
		{memory(2, 0, false), memory(1, 0, false), false},
		{memory(1, 4, true), memory(1, 4, true), true},
		{memory(1, 4, true), memory(1, 5, true), false},
		{memory(1, 4, true), memory(1, 0, false), false},
		{table(FuncRef, 1), table(FuncRef, 1), true},
		{table(FuncRef, 1), table(ExternRef, 1), false},
		{table(FuncRef, 1), memory(1, 0, false), false},
		{ExternType{Kind: KindGlobal, Value: I32}, ExternType{Kind: KindGlobal, Value: I32}, true},
		{ExternType{Kind: KindGlobal, Value: I32}, ExternType{Kind: KindGlobal, Value: I32, Mutable: true}, false},
		{ExternType{Kind: KindFunc, Func: FuncType{Params: []ValueType{I32}}}, ExternType{Kind: KindFunc}, false},
		{ExternType{Kind: KindFunc}, ExternType{Kind: KindTag}, false},
	} {
		if got := Importable(c.want, c.have); got != c.ok {
			t.Errorf("want %s, have %s: got %v", c.want, c.have, got)
		}
	}
}

func TestTrapText(t *testing.T) {
	trap := &Trap{Code: TrapHost, Detail: "no luck"}
	if got, want := trap.Error(), "wasm trap: host function panicked: no luck"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for i := range 40 {
		trap.Frames = append(trap.Frames, Frame{Func: fmt.Sprint("f", i), Offset: uint64(i)})
	}
	lines := strings.Split(strings.TrimSuffix(trap.Backtrace(), "\n"), "\n")
	if len(lines) != 33 || lines[0] != "   0: f0" || lines[31] != "  31: f31 (at 0x1f)" || lines[32] != "  … 8 more" {
		t.Errorf("got %d lines: %q", len(lines), lines)
	}
}

func TestHostPanic(t *testing.T) {
	recovered := func() (trap *Trap) {
		defer func() { trap = HostPanic(recover()) }()
		panic(errors.New("first\nsecond"))
	}
	trap := recovered()
	if trap.Code != TrapHost || !strings.HasPrefix(trap.Detail, "first second at engine_test.go:") {
		t.Errorf("got %+v", trap)
	}
}
