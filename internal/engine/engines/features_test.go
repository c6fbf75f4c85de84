//go:build cgo && linux && (amd64 || arm64)

package engines

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"wherry/internal/engine"
)

var update = flag.Bool("update", false, "write the table of docs/engines.md anew")

const (
	featuresDoc = "../../../docs/engines.md"
	tableBegin  = "<!-- features: begin (written by go test ./internal/engine/engines -update) -->\n"
	tableEnd    = "<!-- features: end -->\n"
)

// features are proposals and for each a module that needs it and nothing newer.
var features = []struct{ name, wat string }{
	{"mutable globals", `(module (global (export "g") (mut i32) (i32.const 0)))`},
	{"sign extension", `(module (func (param i32) (result i32) (i32.extend8_s (local.get 0))))`},
	{"saturating float to integer", `(module (func (param f32) (result i32) (i32.trunc_sat_f32_s (local.get 0))))`},
	{"multi-value", `(module (func (result i32 i32) (i32.const 1) (i32.const 2)))`},
	{"bulk memory", `(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))`},
	{"reference types", `(module (table 1 externref) (func (result externref) (table.get 0 (i32.const 0))))`},
	{"SIMD (v128)", `(module (func (param v128 v128) (result v128) (i32x4.add (local.get 0) (local.get 1))))`},
	{"relaxed SIMD", `(module (func (param v128 v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 1))))`},
	{"extended constant expressions", `(module (global i32 (i32.add (i32.const 1) (i32.const 2))))`},
	{"tail calls", `(module (func $f (return_call $f)))`},
	{"typed function references", `(module (type $t (func)) (func (param (ref $t)) (call_ref $t (local.get 0))))`},
	{"garbage collection (structs, arrays)", `(module (type $s (struct (field i32))) (func (result i32) (struct.get $s 0 (struct.new $s (i32.const 1)))))`},
	{"exceptions (try_table)", `(module (tag $e) (func (block $h (try_table (catch $e $h) (throw $e)))))`},
	{"multiple memories", `(module (memory 1) (memory 1) (func (result i32) (i32.load 1 (i32.const 0))))`},
	{"64-bit memories", `(module (memory i64 1) (func (result i32) (i32.load (i64.const 0))))`},
	{"shared memories (threads)", `(module (memory 1 1 shared))`},
	{"atomic instructions (threads)", `(module (memory 1) (func (result i32) (i32.atomic.load (i32.const 0))))`},
	{"wide arithmetic", `(module (func (param i64 i64) (result i64 i64) (i64.mul_wide_u (local.get 0) (local.get 1))))`},
	{"stack switching", `(module (type $f (func)) (type $c (cont $f)))`},
	{"custom page sizes", `(module (memory 1 (pagesize 1)))`},
}

// TestFeatures runs each probe on each engine and holds the table in the
// documentation to what came out.
func TestFeatures(t *testing.T) {
	table := featureTable(t)
	doc, err := os.ReadFile(featuresDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := bytes.Cut(doc, []byte(tableBegin))
	old, after, end := bytes.Cut(rest, []byte(tableEnd))
	if !ok || !end {
		t.Fatalf("%s has no table between its two marks", featuresDoc)
	}
	if *update {
		doc = bytes.Join([][]byte{before, []byte(tableBegin), []byte(table), []byte(tableEnd), after}, nil)
		if err := os.WriteFile(featuresDoc, doc, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(old) != table {
		t.Errorf("%s is out of date, run go test ./internal/engine/engines -update; now:\n%s", featuresDoc, table)
	}
}

func featureTable(t *testing.T) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| feature | %s |\n|---|%s\n", strings.Join(Names(), " | "), strings.Repeat("---|", len(Names())))
	for _, f := range features {
		fmt.Fprintf(&b, "| %s |", f.name)
		for _, name := range Names() {
			answer := "–"
			if takes(t, name, f.wat) {
				answer = "yes"
			}
			fmt.Fprintf(&b, " %s |", answer)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// takes tells whether an engine compiles and instantiates a module.
func takes(t *testing.T, name, wat string) bool {
	t.Helper()
	wasm, err := ParseText([]byte(wat))
	if err != nil {
		t.Fatalf("%s: %v", wat, err)
	}
	e, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m, err := e.Compile(context.Background(), wasm)
	if err != nil {
		return false
	}
	defer m.Close()
	st, err := e.NewStore(engine.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	_, err = st.Instantiate(context.Background(), m, nil)
	return err == nil
}
