// Package enginetest is the conformance suite of package engine: what every
// engine must do alike, and where engines may differ, how.
//
// Its guests are testdata/*.wat. The binary form stands beside each, since not
// every build has a parser for the text format; a test with cgo holds the two
// together. The package knows no engine: each engine's own tests run it.
package enginetest

import (
	"context"
	"embed"
	"testing"

	"wherry/internal/engine"
)

// Subject is an engine under test.
type Subject struct {
	// Open makes the engine.
	Open func() (engine.Engine, error)
	// Codes are traps that this engine calls otherwise, by export of traps.wat.
	Codes map[string]engine.TrapCode
	// NoOverflowFrames is set where a stack overflow has no backtrace.
	NoOverflowFrames bool
	// NoStackLimit is set where Limits.StackBytes cannot be had.
	NoStackLimit bool
	// Freezes is set where a garbage collection waits for a looping guest.
	Freezes bool
}

//go:embed testdata/*.wasm
var guests embed.FS

// ReadGuest gives the binary form of testdata/name.wat.
func ReadGuest(name string) ([]byte, error) {
	return guests.ReadFile("testdata/" + name + ".wasm")
}

// Guest is ReadGuest for tests.
func Guest(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := ReadGuest(name)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// Run runs the whole suite.
func Run(t *testing.T, s Subject) {
	t.Run("traps", s.traps)
	t.Run("stack", s.stack)
	t.Run("recover", s.recoverAfterTraps)
	t.Run("host values", s.hostValues)
	t.Run("host error", s.hostError)
	t.Run("host panic", s.hostPanic)
	t.Run("host reentry", s.hostReentry)
	t.Run("caller memory", s.callerMemory)
	t.Run("values", s.values)
	t.Run("call errors", s.callErrors)
	t.Run("memory limits", s.memoryLimits)
	t.Run("table limits", s.tableLimits)
	t.Run("start", s.start)
	t.Run("imports", s.imports)
	t.Run("sharing", s.sharing)
	t.Run("import named twice", s.twice)
	t.Run("exceptions", s.exceptions)
	t.Run("foreign", s.foreign)
	t.Run("invalid", s.invalid)
	t.Run("signature", s.signature)
	t.Run("load", s.load)
	t.Run("load damaged", s.loadDamaged)
	t.Run("fingerprint", s.fingerprint)
	t.Run("concurrent", s.concurrent)
	t.Run("closed", s.closed)
	t.Run("looping guest", s.looping)
}

var ctx = context.Background()

// open makes the engine for one test.
func (s Subject) open(t testing.TB) engine.Engine {
	t.Helper()
	e, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close the engine: %v", err)
		}
	})
	return e
}

func compile(t testing.TB, e engine.Engine, name string) engine.Module {
	t.Helper()
	m, err := e.Compile(ctx, Guest(t, name))
	if err != nil {
		t.Fatalf("compile %s: %v", name, err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("close %s: %v", name, err)
		}
	})
	return m
}

func newStore(t testing.TB, e engine.Engine, l engine.Limits) engine.Store {
	t.Helper()
	s, err := e.NewStore(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

// externs resolves imports by name alone.
type externs map[string]engine.Extern

func (x externs) resolve(im engine.Import) (engine.Extern, bool) {
	e, ok := x[im.Name]
	return e, ok
}

func instantiate(t testing.TB, st engine.Store, m engine.Module, x externs) engine.Instance {
	t.Helper()
	in, err := st.Instantiate(ctx, m, x.resolve)
	if err != nil {
		t.Fatalf("instantiate: %v", err)
	}
	return in
}

// guest compiles and instantiates in one go.
func (s Subject) guest(t testing.TB, name string, x externs) engine.Instance {
	t.Helper()
	e := s.open(t)
	m := compile(t, e, name)
	return instantiate(t, newStore(t, e, engine.Limits{}), m, x)
}

// call calls a function that must succeed.
func call(t testing.TB, in engine.Instance, name string, params ...uint64) []uint64 {
	t.Helper()
	r, err := in.Call(ctx, name, params...)
	if err != nil {
		t.Fatalf("call of %q: %v", name, err)
	}
	return r
}

// wants calls a function and compares its results.
func wants(t testing.TB, in engine.Instance, want []uint64, name string, params ...uint64) {
	t.Helper()
	got := call(t, in, name, params...)
	if len(got) != len(want) {
		t.Fatalf("call of %q: got %#x, want %#x", name, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("call of %q: got %#x, want %#x", name, got, want)
		}
	}
}

// funcType abbreviates a type.
func funcType(params, results []engine.ValueType) engine.FuncType {
	return engine.FuncType{Params: params, Results: results}
}

func types(ts ...engine.ValueType) []engine.ValueType { return ts }
