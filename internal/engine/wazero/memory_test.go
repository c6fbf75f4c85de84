package wazero

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"wherry/internal/engine"
	"wherry/internal/engine/enginetest"
)

// TestMemoryIsFreed: also that of an instance whose start function failed.
func TestMemoryIsFreed(t *testing.T) {
	e, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx := context.Background()
	m, err := e.Compile(ctx, enginetest.Guest(t, "start"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	st, err := e.NewStore(engine.Limits{MemoryBytes: 12345 << 16})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []error{nil, os.ErrProcessDone} {
		_, err = st.Instantiate(ctx, m, func(engine.Import) (engine.Extern, bool) {
			return &engine.HostFunc{Call: func(engine.Caller, []uint64) error { return want }}, true
		})
		if !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
	memories := st.(*Store).memories
	if len(memories) != 2 {
		t.Fatalf("two instances have %d memories", len(memories))
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	for i, m := range memories {
		if m.Reallocate(1<<16) != nil {
			t.Errorf("memory %d is still there after its store was closed", i)
		}
	}
}

// TestWholeMemory: a memory that begins with 4 GiB is more than wazero tells
// the size of, and is refused in words.
func TestWholeMemory(t *testing.T) {
	e, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m, err := e.Compile(context.Background(), []byte("\x00asm\x01\x00\x00\x00\x05\x05\x01\x00\x80\x80\x04"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	st, err := e.NewStore(engine.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, err := st.Instantiate(context.Background(), m, nil); err == nil || !strings.Contains(err.Error(), "65536 pages") {
		t.Errorf("got %v, want its 65536 pages refused", err)
	}
}

func TestFuncName(t *testing.T) {
	for line, want := range map[string]string{
		".main.main()":                 "main.main",
		"traps.inner()":                "inner",
		"traps.$7(i32,i64) f32":        "func[7]",
		".$12()":                       "func[12]",
		"m.f(v128) (i32,i64)":          "f",
		".std::rt<(a, b)>::f(i32) i32": "std::rt<(a, b)>::f",
	} {
		if got := funcName(line); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}
