//go:build cgo && linux && (amd64 || arm64)

package wasmtime

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"wherry/internal/engine"
	"wherry/internal/engine/enginetest"
)

var subject = enginetest.Subject{
	Open: func() (engine.Engine, error) { return New(), nil },
}

// child runs f instead of the tests.
func child(f func() error) {
	if err := f(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestMain(m *testing.M) {
	if path := os.Getenv(noexecVar); path != "" {
		child(func() error { return noexecChild(path) })
	}
	if os.Getenv(shortStackVar) != "" {
		child(shortStackChild)
	}
	enginetest.Main(m, subject)
}

func TestConformance(t *testing.T) { enginetest.Run(t, subject) }

func TestParseTextSaysWhere(t *testing.T) {
	_, err := ParseText([]byte("(module\n  (func i32.adx))"))
	if !errors.Is(err, engine.ErrInvalidModule) || !strings.Contains(err.Error(), "line 2, column 9: ") || strings.ContainsAny(err.Error(), "|\n") {
		t.Errorf("got %v, want one line with the place", err)
	}
}

func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                          "plain",
		"outer\n\nCaused by:\n    inner": "outer: inner",
		"outer\n\nCaused by:\n    0: first\n    1: second\n":                                       "outer: first: second",
		"error while executing at wasm backtrace:\n    0: 0x1 - f\n\nCaused by:\n    wasm trap: x": "wasm trap: x",
	} {
		if got := oneLine(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
