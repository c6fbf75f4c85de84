//go:build cgo && linux && (amd64 || arm64)

package wasmtime

import (
	"context"
	"errors"
	"testing"

	"wherry/internal/engine"
)

func TestFirst(t *testing.T) {
	wasm, err := ParseText([]byte(`(module
  (import "h" "add" (func $add (param i32 i64 v128) (result i64 v128)))
  (import "h" "fail" (func $fail))
  (memory (export "memory") 1)
  (func (export "go") (param i32) (result i64)
    (i32.store (i32.const 8) (i32.const 77))
    (call $add (local.get 0) (i64.const 5) (v128.const i64x2 7 9))
    i64x2.extract_lane 1
    i64.add)
  (func $inner call $fail)
  (func (export "fail") call $inner)
  (func $deep (export "deep") call $deep)
  (func (export "oob") (drop (i32.load (i32.const 70000))))
)`))
	if err != nil {
		t.Fatal(err)
	}
	e := New()
	defer e.Close()
	t.Log(e.Fingerprint())
	m, err := e.Compile(context.Background(), wasm)
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.NewStore(engine.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	funcs := map[string]*engine.HostFunc{
		"add": {Type: engine.FuncType{Params: []engine.ValueType{engine.I32, engine.I64, engine.V128}, Results: []engine.ValueType{engine.I64, engine.V128}},
			Call: func(c engine.Caller, st []uint64) error {
				sum := st[0] + st[1] + uint64(c.Memory()[8])
				a, b := st[2], st[3]
				st[0], st[1], st[2] = sum, a, b
				return nil
			}},
		"fail": {Call: func(c engine.Caller, st []uint64) error { return boom }},
	}
	in, err := s.Instantiate(context.Background(), m, func(i engine.Import) (engine.Extern, bool) {
		f, ok := funcs[i.Name]
		return f, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := in.Call(context.Background(), "go", 3)
	if err != nil || r[0] != 3+5+77+9 {
		t.Fatal(r, err)
	}
	if _, err := in.Call(context.Background(), "fail"); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	for _, n := range []string{"deep", "oob"} {
		_, err = in.Call(context.Background(), n)
		var trap *engine.Trap
		if !errors.As(err, &trap) {
			t.Fatal(err)
		}
		t.Log(trap, trap.Backtrace())
	}
}
