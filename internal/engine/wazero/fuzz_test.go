package wazero

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wherry/internal/engine"
	"wherry/internal/engine/enginetest"
)

// FuzzFile holds that a file of compiled code that was changed anywhere is
// refused: its digest covers all that is run.
func FuzzFile(f *testing.F) {
	e, err := New()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { e.Close() })
	wasm := enginetest.Guest(f, "values")
	m, err := e.compile(f.Context(), wasm, entry{})
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := m.Serialize(&b); err != nil {
		f.Fatal(err)
	}
	good := b.Bytes()
	f.Add(good, 0)
	f.Add(good[:fileHeader], 1)
	f.Add([]byte(fileMagic), 0)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		if cut > 0 && cut < len(data) {
			data = data[:len(data)-cut]
		}
		path := filepath.Join(t.TempDir(), "code")
		if err := os.WriteFile(path, data, 0o400); err != nil {
			t.Fatal(err)
		}
		// An engine that has the module already would not look at the file.
		fresh, err := New()
		if err != nil {
			t.Fatal(err)
		}
		defer fresh.Close()
		m, err := fresh.Load(path, func() ([]byte, error) { return wasm, nil })
		if err == nil {
			m.Close()
			if !bytes.Equal(data, good) {
				t.Errorf("%d changed bytes were loaded", len(data))
			}
			return
		}
		if bytes.Equal(data, good) || !errors.Is(err, engine.ErrIncompatible) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v", err)
		}
	})
}
