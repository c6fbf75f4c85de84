//go:build cgo && linux && (amd64 || arm64)

package wasmtime

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"wherry/internal/engine"
)

// TestExoticTypes: wasmtime's C API aborts the process when asked about types
// that it has no C form for. Modules that import and export them must compile,
// serialize, load and be refused for their imports, nothing worse.
func TestExoticTypes(t *testing.T) {
	e := New()
	defer e.Close()
	ctx := context.Background()
	for _, item := range []string{
		`(func (param v128))`,
		`(func (param anyref) (result (ref null $s)))`,
		`(func (param (ref $f)))`,
		`(func (param i31ref exnref structref arrayref eqref))`,
		`(global v128)`,
		`(global (mut (ref null $s)))`,
		`(table 1 (ref null $f))`,
		`(table i64 1 10000000000 externref)`,
		`(memory i64 1 100000000000)`,
		`(tag (param v128 anyref))`,
	} {
		wasm, err := ParseText([]byte(`(module
			(rec (type $s (sub (struct (field (mut i8)) (field (ref null $s))))) (type $a (array (mut v128))))
			(type $f (func (param (ref null $a))))
			(import "m" "x" ` + item + `))`))
		if err != nil {
			t.Fatalf("%s: %v", item, err)
		}
		m, err := e.Compile(ctx, wasm)
		if err != nil {
			t.Errorf("%s: %v", item, err)
			continue
		}
		st, err := e.NewStore(engine.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var ie *engine.ImportError
		for _, found := range []engine.Extern{nil, &engine.HostFunc{}} {
			_, err = st.Instantiate(ctx, m, func(engine.Import) (engine.Extern, bool) { return found, found != nil })
			if !errors.As(err, &ie) {
				t.Errorf("%s: got %v, want an ImportError", item, err)
			}
		}
		var code bytes.Buffer
		if err := m.Serialize(&code); err != nil {
			t.Errorf("%s: %v", item, err)
		}
		st.Close()
		m.Close()
	}
}

// TestShares: memories and tables of one instance share what the limits give,
// and what the collector keeps is bounded too.
func TestShares(t *testing.T) {
	e := New()
	defer e.Close()
	ctx := context.Background()
	const mib = 1 << 20
	for name, c := range map[string]struct {
		wat  string
		want uint64 // what "run" answers; 0 for a trap
		err  string // at the start
	}{
		"memories": {`(module (memory $a 1) (memory $b 1) (func (export "run") (result i64)
			(loop $more (br_if $more (i32.ne (memory.grow $a (i32.const 1)) (i32.const -1))))
			(loop $more (br_if $more (i32.ne (memory.grow $b (i32.const 1)) (i32.const -1))))
			(i64.extend_i32_u (i32.add (memory.size $a) (memory.size $b)))))`, 8 * mib / 65536, ""},
		"wide memory": {`(module (memory i64 1) (func (export "run") (result i64)
			(loop $more (br_if $more (i64.ne (memory.grow (i64.const 1)) (i64.const -1))))
			memory.size))`, 8 * mib / 65536, ""},
		"tables": {`(module (table $a 1 externref) (table $b 1 funcref) (func (export "run") (result i64)
			(loop $more (br_if $more (i32.ne (table.grow $a (ref.null extern) (i32.const 1)) (i32.const -1))))
			(loop $more (br_if $more (i32.ne (table.grow $b (ref.null func) (i32.const 1)) (i32.const -1))))
			(i64.extend_i32_u (i32.add (table.size $a) (table.size $b)))))`, 8 * mib / 4 / 8, ""},
		"objects": {`(module (type $node (struct (field (ref null $node)))) (func (export "run") (result i64) (local $list (ref null $node))
			(loop $more (local.set $list (struct.new $node (local.get $list))) (br $more)) (i64.const 1)))`, 0, ""},
		"arrays": {`(module (type $a (array i64)) (func (export "run") (result i64)
			(i64.extend_i32_u (array.len (array.new_default $a (i32.const 100000000))))))`, 0, ""},
		"one too large": {`(module (memory 1) (memory 65) (func (export "run") (result i64) (i64.const 1)))`, 0, "begins with 65 pages of 64 KiB, the limit is 8388608 bytes for 2 memories"},
		"too many":      {`(module` + strings.Repeat(" (memory 1)", 150) + `)`, 0, "count exceeds limit"},
	} {
		t.Run(name, func(t *testing.T) {
			wasm, err := ParseText([]byte(c.wat))
			if err != nil {
				t.Fatal(err)
			}
			m, err := e.Compile(ctx, wasm)
			if err == nil {
				defer m.Close()
				st, e := e.NewStore(engine.Limits{MemoryBytes: 8 * mib})
				if e != nil {
					t.Fatal(e)
				}
				defer st.Close()
				var in engine.Instance
				if in, err = st.Instantiate(ctx, m, nil); err == nil && c.err == "" {
					got, err := in.Call(ctx, "run")
					var trap *engine.Trap
					if c.want == 0 && !errors.As(err, &trap) {
						t.Errorf("got %v, %v, want a trap", got, err)
					}
					if c.want != 0 && (err != nil || got[0] != c.want) {
						t.Errorf("got %v, %v, want %d", got, err, c.want)
					}
					return
				}
			}
			if c.err == "" || err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
	}
}
