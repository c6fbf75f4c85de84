//go:build cgo && linux && (amd64 || arm64)

package wasmtime

// #include <stdlib.h>
// #include "glue.h"
import "C"

import (
	"fmt"
	"io"
	"os"
	"sync"
	"unsafe"

	"wherry/internal/engine"
	"wherry/internal/engine/signature"
)

// code is compiled code inside one wasm_engine_t.
type code struct {
	engine *C.wasm_engine_t
	ptr    *C.wasmtime_module_t
	types  C.wasm_importtype_vec_t // the types of its imports, in their order
}

func newCode(e *C.wasm_engine_t, p *C.wasmtime_module_t) *code {
	c := &code{engine: e, ptr: p}
	C.wasmtime_module_imports(p, &c.types)
	return c
}

func (c *code) close() {
	C.wasm_importtype_vec_delete(&c.types)
	C.wasmtime_module_delete(c.ptr)
}

// serialize gives the code as bytes that the caller must delete.
func (c *code) serialize() (C.wasm_byte_vec_t, error) {
	var out C.wasm_byte_vec_t
	err := takeError(C.wasmtime_module_serialize(c.ptr, &out))
	return out, err
}

// Module is compiled code and the signature it was compiled from.
type Module struct {
	sig *signature.Signature

	elf int // bytes of wasmtime's part of the file it was loaded from; 0 for none

	mu     sync.Mutex
	origin *code   // as compiled or loaded; nil once closed
	others []*code // the same code for engines with another size of stack
}

var _ engine.Module = (*Module)(nil)

func (e *Engine) compile(wasm []byte) (*Module, error) {
	v, err := e.compiler(len(wasm))
	if err != nil {
		return nil, err
	}
	return e.compileIn(v, wasm)
}

func (e *Engine) compileIn(v *C.wasm_engine_t, wasm []byte) (*Module, error) {
	// wasmtime takes the text format too where it can; a module is binary.
	sig, err := signature.Parse(wasm)
	if err != nil {
		return nil, err
	}
	var p *C.wasmtime_module_t
	data := (*C.uint8_t)(unsafe.SliceData(wasm))
	if err := takeError(C.wasmtime_module_new(v, data, C.size_t(len(wasm)), &p)); err != nil {
		return nil, fmt.Errorf("%w: %w", engine.ErrInvalidModule, err)
	}
	return &Module{sig: sig, origin: newCode(v, p)}, nil
}

// Imports implements engine.Module.
func (m *Module) Imports() []engine.Import { return m.sig.Imports }

// Exports implements engine.Module.
func (m *Module) Exports() []engine.Export { return m.sig.Exports }

// Serialize implements engine.Module: wasmtime's own ELF file, and behind it
// a trailer of ours that ELF readers do not see.
func (m *Module) Serialize(w io.Writer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.origin == nil {
		return errClosed
	}
	code, err := m.origin.serialize()
	if err != nil {
		return err
	}
	defer C.wasm_byte_vec_delete(&code)
	elf := vecBytes(&code)
	if m.elf != 0 {
		elf = elf[:m.elf] // what wasmtime mapped has the trailer too
	}
	trailer, err := encodeTrailer(m.sig, len(elf))
	if err != nil {
		return err
	}
	if _, err := w.Write(elf); err != nil {
		return err
	}
	_, err = w.Write(trailer)
	return err
}

// Load implements engine.Engine. The file is mapped, not read, unless its file
// system forbids executable mappings. wasm is never called.
func (e *Engine) Load(path string, _ func() ([]byte, error)) (engine.Module, error) {
	sig, elf, err := readTrailer(path)
	if err != nil {
		return nil, err
	}
	v, err := e.variant(defaultStack)
	if err != nil {
		return nil, err
	}
	cpath := C.CString(path)
	defer C.free(unsafe.Pointer(cpath))
	var p *C.wasmtime_module_t
	if err := takeError(C.wasmtime_module_deserialize_file(v, cpath, &p)); err != nil {
		// A noexec mount gives EACCES only to the mapping; from bytes it works.
		data, rerr := os.ReadFile(path)
		if rerr != nil {
			return nil, rerr
		}
		if berr := deserialize(v, data, &p); berr != nil {
			return nil, fmt.Errorf("%w: %s: %w", engine.ErrIncompatible, path, err)
		}
	}
	return &Module{sig: sig, elf: elf, origin: newCode(v, p)}, nil
}

func deserialize(v *C.wasm_engine_t, data []byte, p **C.wasmtime_module_t) error {
	return takeError(C.wasmtime_module_deserialize(v, (*C.uint8_t)(unsafe.SliceData(data)), C.size_t(len(data)), p))
}

// in gives the code for a store's engine. Code is bound to the wasm_engine_t
// that made it, but the stack's size and the compiler's effort are no part of
// the code, so it can be carried over.
func (m *Module) in(v *C.wasm_engine_t) (*code, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.origin == nil {
		return nil, errClosed
	}
	if m.origin.engine == v {
		return m.origin, nil
	}
	for _, c := range m.others {
		if c.engine == v {
			return c, nil
		}
	}
	data, err := m.origin.serialize()
	if err != nil {
		return nil, err
	}
	defer C.wasm_byte_vec_delete(&data)
	var p *C.wasmtime_module_t
	if err := deserialize(v, vecBytes(&data), &p); err != nil {
		return nil, err
	}
	c := newCode(v, p)
	m.others = append(m.others, c)
	return c, nil
}

// Close implements engine.Module. Instances of it live on.
func (m *Module) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.origin == nil {
		return nil
	}
	for _, c := range append(m.others, m.origin) {
		c.close()
	}
	m.origin, m.others = nil, nil
	return nil
}
