//go:build linux

package preview1_test

import (
	"errors"
	"testing"

	"github.com/containerd/errdefs"

	"wherry/internal/engine"
	"wherry/internal/engine/engines"
	"wherry/internal/wasi/preview1"
)

// mixed imports both forms of what has two, as real guests do, and leaves with
// the sum of the errnos: accept on no descriptor and on stdin, twice 8 and 57.
const mixed = `(module
  (import "wasi_snapshot_preview1" "sock_accept" (func $v1 (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_accept_v2" (func $v2 (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv_from" (func (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_getlocaladdr" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_getpeeraddr" (func (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (call $exit (i32.add (call $v1 (i32.const 99) (i32.const 0)) (call $v2 (i32.const 0) (i32.const 0) (i32.const 0))))))`

func TestImports(t *testing.T) {
	wasm := parse(t, mixed)
	wrong := parse(t, `(module (import "wasi_snapshot_preview1" "fd_seek" (func (param i32) (result i32))) (func (export "_start")))`)
	for _, name := range engines.Names() {
		t.Run(name, func(t *testing.T) {
			e, err := engines.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { e.Close() })
			if code, _, _ := runProgram(t, e, wasm, nil, preview1.Config{}); code != 8+57 {
				t.Errorf("exit code %d, want %d", code, 8+57)
			}
			h, err := preview1.New(preview1.Config{Stdin: -1, Stdout: -1, Stderr: -1})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			var bad *engine.ImportError
			if err := callStart(e, wrong, h.Resolve); !errors.As(err, &bad) || bad.Found == nil || len(bad.Found.Func.Params) != 4 {
				t.Errorf("an import of another type: %v", err)
			}
		})
	}
}

// parse needs wasmtime's parser; a build without it has nothing to run here.
func parse(t *testing.T, text string) []byte {
	t.Helper()
	wasm, err := engines.ParseText([]byte(text))
	if errdefs.IsNotImplemented(err) {
		t.Skip("this build has no parser for the text format")
	}
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}
