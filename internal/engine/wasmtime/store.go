//go:build cgo && linux && (amd64 || arm64)

package wasmtime

// #include <stdlib.h>
// #include "glue.h"
import "C"

import (
	"context"
	"fmt"
	"math"
	"unsafe"

	"wherry/internal/engine"
	"wherry/internal/engine/signature"
)

// Store is a wasmtime store.
type Store struct {
	engine  *C.wasm_engine_t
	limits  engine.Limits
	stack   C.size_t
	ptr     *C.wasmtime_store_t // nil once closed
	context *C.wasmtime_context_t

	id     uint32           // its place in the registry of stores
	funcs  []hostFunc       // what the trampoline's numbers stand for
	memory []unsafe.Pointer // C memory of guests and environments, freed at Close

	// caller is what the host function that now runs sees.
	caller caller
	// pending is why the host ended the call that is now being unwound.
	pending error
}

var _ engine.Store = (*Store)(nil)

func newStore(v *C.wasm_engine_t, l engine.Limits) *Store {
	s := &Store{engine: v, limits: l, stack: C.size_t(l.StackBytes), ptr: C.wasmtime_store_new(v, nil, nil)}
	s.context = C.wasmtime_store_context(s.ptr)
	s.id = stores.add(s)
	return s
}

// bound lets an instance grow to the store's limits. wasmtime bounds each
// memory and table alone, so all of an instance's have a share. An instance
// that is made later sets the bound for those that are there.
func (s *Store) bound(sig *signature.Signature) {
	limit := func(n uint64) C.int64_t {
		if n == 0 || n > math.MaxInt64 {
			return -1
		}
		return C.int64_t(n)
	}
	each := sig.Share(s.limits)
	C.wasmtime_store_limiter(s.ptr, limit(each.MemoryBytes), limit(each.TableElements), -1, -1, -1)
}

// Close implements engine.Store. It must not be called from a host function.
func (s *Store) Close() error {
	if s.ptr == nil {
		return nil
	}
	C.wasmtime_store_delete(s.ptr)
	s.ptr, s.context = nil, nil
	stores.remove(s.id)
	for _, p := range s.memory {
		C.free(p)
	}
	s.memory, s.funcs = nil, nil
	return nil
}

// alloc gives zeroed C memory that lives as long as the store.
func (s *Store) alloc(size uintptr) unsafe.Pointer {
	p := C.calloc(1, C.size_t(size))
	s.memory = append(s.memory, p)
	return p
}

// Instantiate implements engine.Store.
func (s *Store) Instantiate(ctx context.Context, m engine.Module, resolve engine.Resolver) (engine.Instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	mod, ok := m.(*Module)
	if !ok {
		return nil, fmt.Errorf("wasmtime cannot instantiate a module of another engine (%T)", m)
	}
	if s.ptr == nil {
		return nil, errClosed
	}
	if err := mod.sig.Fits(s.limits); err != nil {
		return nil, fmt.Errorf("instantiate: %w", err)
	}
	s.bound(mod.sig)
	code, err := mod.in(s.engine)
	if err != nil {
		return nil, err
	}
	in := &Instance{store: s, sig: mod.sig, imported: make([]engine.Extern, len(mod.sig.Imports))}
	in.guest = (*C.wherry_guest)(s.alloc(unsafe.Sizeof(*in.guest)))
	in.guest.context = s.context

	externs := make([]C.wasmtime_extern_t, len(mod.sig.Imports))
	for i, im := range mod.sig.Imports {
		x, ok := resolve(im)
		if !ok {
			return nil, &engine.ImportError{Import: im}
		}
		if err := s.link(in, code, i, x, &externs[i]); err != nil {
			return nil, err
		}
		in.imported[i] = x
	}
	var out C.wherry_outcome
	C.wherry_instantiate(s.context, code.ptr, unsafe.SliceData(externs), C.size_t(len(externs)), &in.ptr, s.stack, &out)
	if err := s.finish(&out); err != nil {
		return nil, fmt.Errorf("instantiate: %w", err)
	}
	in.findMemory()
	return in, nil
}

// link puts what the resolver gave for import i into out, if it fits.
func (s *Store) link(in *Instance, c *code, i int, x engine.Extern, out *C.wasmtime_extern_t) error {
	want := in.sig.Imports[i]
	switch x := x.(type) {
	case *engine.HostFunc:
		found := engine.ExternType{Kind: engine.KindFunc, Func: x.Type}
		if want.Type.Kind != engine.KindFunc || !want.Type.Func.Equal(x.Type) {
			return &engine.ImportError{Import: want, Found: &found}
		}
		env := (*C.wherry_env)(s.alloc(unsafe.Sizeof(C.wherry_env{})))
		env.guest = in.guest
		env.store = C.uint32_t(s.id)
		env.number = C.uint32_t(len(s.funcs))
		s.funcs = append(s.funcs, newHostFunc(x))
		C.wherry_host_func(env, &c.types, C.size_t(i), out)
		return nil
	case *extern:
		if x.store != s {
			return fmt.Errorf("import %q.%q: what was given belongs to another store", want.Module, want.Name)
		}
		found := x.current()
		if !engine.Importable(want.Type, found) {
			return &engine.ImportError{Import: want, Found: &found}
		}
		*out = x.ptr
		return nil
	}
	return fmt.Errorf("import %q.%q: a %T cannot be imported", want.Module, want.Name, x)
}
