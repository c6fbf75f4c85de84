//go:build cgo && linux && (amd64 || arm64)

package enginetest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wherry/internal/engine/wasmtime"
)

var update = flag.Bool("update", false, "write the binary form of the guests anew")

// TestGuests holds testdata/*.wasm to the text beside it.
func TestGuests(t *testing.T) {
	texts, err := filepath.Glob("testdata/*.wat")
	if err != nil || len(texts) == 0 {
		t.Fatalf("no guests: %v", err)
	}
	for _, path := range texts {
		wat, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := wasmtime.ParseText(wat)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		binary := strings.TrimSuffix(path, ".wat") + ".wasm"
		if *update {
			if err := os.WriteFile(binary, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, _ := os.ReadFile(binary); !bytes.Equal(got, want) {
			t.Errorf("%s is not %s: run go test ./internal/engine/enginetest -update", binary, path)
		}
	}
	binaries, _ := filepath.Glob("testdata/*.wasm")
	if len(binaries) != len(texts) {
		t.Errorf("there are %d texts and %d binaries", len(texts), len(binaries))
	}
}
