package engines

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wherry/internal/engine"
	"wherry/internal/engine/enginetest"
)

// FuzzModule compiles strangers' modules on every engine, in the process that
// would crash with them: they are refused in a line, or can be written, loaded
// and instantiated as far as their imports go. None of the guest runs, but for
// a start function that needs nothing.
func FuzzModule(f *testing.F) {
	for _, name := range []string{"borrower", "catcher", "host", "imports", "memory", "owner", "start", "traps", "twice", "values"} {
		f.Add(enginetest.Guest(f, name))
	}
	f.Add(empty)
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x05\x05\x01\x00\x80\x80\x04"))
	var all []engine.Engine
	for _, name := range Names() {
		e, err := Open(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() { e.Close() })
		all = append(all, e)
	}
	f.Fuzz(func(t *testing.T, wasm []byte) {
		if len(wasm) > 64<<10 || bytes.Contains(wasm, []byte{0x08, 0x01}) {
			return // a start section: what loops in it would never end
		}
		for _, e := range all {
			begun := time.Now()
			try(t, e, wasm)
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("%s took %v", e.Name(), took)
			}
		}
	})
}

func try(t *testing.T, e engine.Engine, wasm []byte) {
	t.Helper()
	ctx := context.Background()
	m, err := e.Compile(ctx, bytes.Clone(wasm))
	if err != nil {
		if !errors.Is(err, engine.ErrInvalidModule) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q", e.Name(), err)
		}
		return
	}
	defer m.Close()
	path := filepath.Join(t.TempDir(), "code")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Serialize(out), out.Close()); err != nil {
		t.Fatalf("%s: %v", e.Name(), err)
	}
	again, err := e.Load(path, func() ([]byte, error) { return bytes.Clone(wasm), nil })
	if err != nil {
		t.Fatalf("%s does not load what it wrote: %v", e.Name(), err)
	}
	defer again.Close()
	if a, b := len(m.Imports()), len(again.Imports()); a != b || len(m.Exports()) != len(again.Exports()) {
		t.Errorf("%s: %d imports became %d", e.Name(), a, b)
	}
	st, err := e.NewStore(engine.Limits{MemoryBytes: 1 << 20, TableElements: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	in, err := st.Instantiate(ctx, again, func(im engine.Import) (engine.Extern, bool) {
		// As the WASI host answers: some functions by name, nothing else.
		return &engine.HostFunc{Type: im.Type.Func, Call: func(engine.Caller, []uint64) error { return nil }}, im.Type.Kind == engine.KindFunc
	})
	if err != nil {
		return
	}
	for _, x := range again.Exports() {
		if n := len(in.Memory(x.Name)); n > 1<<20 {
			t.Errorf("%s: a memory of %d bytes", e.Name(), n)
		}
	}
}
