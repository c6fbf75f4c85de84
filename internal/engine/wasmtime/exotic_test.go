//go:build cgo && linux && (amd64 || arm64)

package wasmtime

import (
	"bytes"
	"context"
	"errors"
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
