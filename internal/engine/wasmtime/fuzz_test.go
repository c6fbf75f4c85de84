//go:build cgo && linux && (amd64 || arm64)

package wasmtime

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

// FuzzText holds that no text crashes the parser or takes it long, that an
// error is one line of bounded length, and that what it gives is a binary.
func FuzzText(f *testing.F) {
	sources, err := filepath.Glob("../enginetest/testdata/*.wat")
	if err != nil || len(sources) == 0 {
		f.Fatalf("no sources: %v", err)
	}
	for _, path := range sources {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{"(module", "(component)", strings.Repeat("(", 10_000), `(module (data "\ff\u{110000}"))`, "(module (func $\"x\" (br_table" + strings.Repeat(" 0", 1000) + ")))", "\xff", "(module binary \"\\00asm\")"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		begun := time.Now()
		wasm, err := ParseText(text)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if err != nil {
			if !errors.Is(err, engine.ErrInvalidModule) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 5000 {
				t.Errorf("%q", err)
			}
			return
		}
		if !bytes.HasPrefix(wasm, []byte("\x00asm")) {
			t.Errorf("got %.20q", wasm)
		}
	})
}

// FuzzTrailer holds that whatever stands behind wasmtime's part of a file of
// compiled code, loading it refuses the file or gives the module: the length of
// that part is in the trailer, and what is loaded must not reach beyond.
func FuzzTrailer(f *testing.F) {
	e := New()
	f.Cleanup(func() { e.Close() })
	m, err := e.compile(enginetest.Guest(f, "values"))
	if err != nil {
		f.Fatal(err)
	}
	var whole bytes.Buffer
	if err := m.Serialize(&whole); err != nil {
		f.Fatal(err)
	}
	code, err := m.origin.serialize()
	if err != nil {
		f.Fatal(err)
	}
	elf := len(vecBytes(&code))
	front := bytes.Clone(whole.Bytes()[:elf])
	f.Add(whole.Bytes()[elf:])
	f.Add([]byte{})
	f.Add([]byte(strings.Repeat("\xff", 16) + trailerMagic))
	f.Add(append(bytes.Clone(whole.Bytes()[elf:]), whole.Bytes()[elf:]...))
	f.Fuzz(func(t *testing.T, trailer []byte) {
		path := filepath.Join(t.TempDir(), "code")
		if err := os.WriteFile(path, append(bytes.Clone(front), trailer...), 0o400); err != nil {
			t.Fatal(err)
		}
		m, err := e.Load(path, nil)
		if err != nil {
			if !errors.Is(err, engine.ErrIncompatible) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
			return
		}
		defer m.Close()
		st, err := e.NewStore(engine.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		// Its imports are as the trailer says, which need not be the code's.
		_, _ = st.Instantiate(context.Background(), m, func(engine.Import) (engine.Extern, bool) { return nil, false })
	})
}
