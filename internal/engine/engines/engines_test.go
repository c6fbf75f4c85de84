package engines

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"

	"wherry/internal/engine"
)

var empty = []byte("\x00asm\x01\x00\x00\x00")

func TestOpen(t *testing.T) {
	names := Names()
	if !slices.Contains(names, "wazero") {
		t.Errorf("got %v, want wazero in every build", names)
	}
	for _, name := range append([]string{""}, names...) {
		e, err := Open(name)
		if err != nil {
			t.Errorf("open %q: %v", name, err)
			continue
		}
		want := name
		if name == "" {
			want = names[0]
		}
		if e.Name() != want {
			t.Errorf("open %q gave %q, want %q", name, e.Name(), want)
		}
		m, err := e.Compile(context.Background(), empty)
		if err != nil {
			t.Fatal(err)
		}
		st, err := e.NewStore(engine.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Instantiate(context.Background(), m, nil); err != nil {
			t.Error(err)
		}
		for _, c := range []interface{ Close() error }{st, m, e} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestOpenUnknown(t *testing.T) {
	_, err := Open("v8")
	if !errdefs.IsNotFound(err) {
		t.Fatalf("got %v, want not found", err)
	}
	for _, word := range append(Names(), `"v8"`) {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not name %s", err, word)
		}
	}
}

// TestParseText: the text format is turned into the binary one, or the error
// says that this build cannot.
func TestParseText(t *testing.T) {
	wasm, err := ParseText([]byte("(module)"))
	if slices.Contains(Names(), "wasmtime") {
		if err != nil || !slices.Equal(wasm[:8], empty) {
			t.Errorf("got %x, %v", wasm, err)
		}
		if _, err := ParseText([]byte("(module")); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("a text that does not end: got %q, want an error of one line", err)
		}
		return
	}
	if !errdefs.IsNotImplemented(err) {
		t.Errorf("got %v, want not implemented", err)
	}
}
