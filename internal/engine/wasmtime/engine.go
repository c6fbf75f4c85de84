//go:build cgo && linux && (amd64 || arm64)

package wasmtime

/*
#cgo CFLAGS: -O2 -Wall
#include <stdlib.h>
#include "glue.h"
*/
import "C"

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"wherry/internal/engine"
)

// Name is the engine's name as users write it.
const Name = "wasmtime"

const (
	defaultStack = 1 << 20 // bytes, where Limits.StackBytes is zero
	minStack     = 64 << 10
	maxStack     = 256 << 20

	// hugeModule is the size in bytes from which a module is compiled fast
	// rather than well: optimising 31 MB takes 12 s on two cores, this 6 s.
	hugeModule = 16 << 20
)

// Engine is wasmtime. The stack's size belongs to a wasm_engine_t, not to
// a store, so there is one of these for each size asked for; nearly always one.
type Engine struct {
	mu      sync.Mutex
	closed  bool
	byStack map[uint64]*C.wasm_engine_t
	fast    *C.wasm_engine_t // for compiling huge modules; made when needed

	fingerprint func() string
}

var _ engine.Engine = (*Engine)(nil)

// New makes the engine. It costs a fifth of a millisecond; nothing of the
// compiler is set up before it is used.
func New() *Engine {
	e := &Engine{byStack: make(map[uint64]*C.wasm_engine_t)}
	e.fingerprint = sync.OnceValue(e.probe)
	return e
}

// Name implements engine.Engine.
func (e *Engine) Name() string { return Name }

// Fingerprint implements engine.Engine.
func (e *Engine) Fingerprint() string { return e.fingerprint() }

// probe compiles the empty module and takes the digest of its serialized form.
// wasmtime writes there all that it compares when it loads code: its version,
// the target, the compiler's flags, the CPU features and the Wasm features. So
// nothing can be forgotten here that matters there.
func (e *Engine) probe() string {
	prefix := fmt.Sprintf("%s-%s-%s-%s", Name, Version, runtime.GOOS, runtime.GOARCH)
	m, err := e.compile([]byte("\x00asm\x01\x00\x00\x00"))
	if err != nil {
		return prefix + "-unknown" // a closed engine; nothing will be found or kept under this name
	}
	defer m.Close()
	code, err := m.origin.serialize()
	if err != nil {
		return prefix + "-unknown"
	}
	defer C.wasm_byte_vec_delete(&code)
	sum := sha256.Sum256(vecBytes(&code))
	return fmt.Sprintf("%s-%x", prefix, sum[:8])
}

// NewStore implements engine.Engine.
func (e *Engine) NewStore(l engine.Limits) (engine.Store, error) {
	l = l.WithDefaults()
	if l.StackBytes == 0 {
		l.StackBytes = defaultStack
	}
	if l.StackBytes < minStack || l.StackBytes > maxStack {
		return nil, fmt.Errorf("stack limit is %d bytes, want %d to %d", l.StackBytes, minStack, maxStack)
	}
	v, err := e.variant(l.StackBytes)
	if err != nil {
		return nil, err
	}
	return newStore(v, l), nil
}

// Close implements engine.Engine. wasmtime counts references, so memory goes
// when the last module and store are closed too.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.byStack {
		C.wasm_engine_delete(p)
	}
	if e.fast != nil {
		C.wasm_engine_delete(e.fast)
	}
	e.byStack, e.fast, e.closed = nil, nil, true
	return nil
}

// variant gives the wasm_engine_t for guests with so much stack.
func (e *Engine) variant(stack uint64) (*C.wasm_engine_t, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errClosed
	}
	p := e.byStack[stack]
	if p == nil {
		if p = C.wherry_engine_new(C.size_t(stack), false); p == nil {
			return nil, fmt.Errorf("wasmtime refused its configuration (stack of %d bytes)", stack)
		}
		e.byStack[stack] = p
	}
	return p, nil
}

// compiler gives the wasm_engine_t to compile so many bytes with.
func (e *Engine) compiler(size int) (*C.wasm_engine_t, error) {
	if size < hugeModule {
		return e.variant(defaultStack)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errClosed
	}
	if e.fast == nil {
		if e.fast = C.wherry_engine_new(defaultStack, true); e.fast == nil {
			return nil, fmt.Errorf("wasmtime refused its configuration for huge modules")
		}
	}
	return e.fast, nil
}

// Compile implements engine.Engine. The compiler cannot be interrupted: where
// its time must be bounded, run it in a process of its own.
func (e *Engine) Compile(ctx context.Context, wasm []byte) (engine.Module, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return e.compile(wasm)
}

// ParseText turns the text format into the binary one.
func ParseText(wat []byte) ([]byte, error) {
	var out C.wasm_byte_vec_t
	p := (*C.char)(unsafe.Pointer(unsafe.SliceData(wat)))
	if err := takeError(C.wasmtime_wat2wasm(p, C.size_t(len(wat)), &out)); err != nil {
		return nil, fmt.Errorf("%w: %s", engine.ErrInvalidModule, placed(err.Error()))
	}
	defer C.wasm_byte_vec_delete(&out)
	wasm := append([]byte(nil), vecBytes(&out)...)
	// The form (module binary "…") holds whatever somebody wrote.
	if !bytes.HasPrefix(wasm, []byte("\x00asm")) {
		return nil, fmt.Errorf("%w: its binary form does not begin as a module", engine.ErrInvalidModule)
	}
	return wasm, nil
}
