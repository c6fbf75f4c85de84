//go:build cgo && linux && (amd64 || arm64)

package wasmtime

// #include "glue.h"
import "C"

import (
	"context"
	"fmt"
	"unsafe"

	"wherry/internal/engine"
	"wherry/internal/engine/signature"
)

// Instance is a wasmtime instance.
type Instance struct {
	store    *Store
	sig      *signature.Signature
	guest    *C.wherry_guest
	ptr      C.wasmtime_instance_t
	imported []engine.Extern // what the resolver gave
}

var _ engine.Instance = (*Instance)(nil)

// extern is an export on its way to another instance.
type extern struct {
	store *Store
	typ   engine.ExternType
	ptr   C.wasmtime_extern_t
}

// current is the extern's type with its size of this moment.
func (x *extern) current() engine.ExternType {
	t := x.typ
	switch t.Kind {
	case engine.KindMemory:
		t.Min = uint64(C.wasmtime_memory_size(x.store.context, (*C.wasmtime_memory_t)(unsafe.Pointer(&x.ptr.of))))
	case engine.KindTable:
		t.Min = uint64(C.wasmtime_table_size(x.store.context, (*C.wasmtime_table_t)(unsafe.Pointer(&x.ptr.of))))
	}
	return t
}

// export looks an export up; ok is false where there is none of that name.
func (in *Instance) export(name string) (x C.wasmtime_extern_t, ok bool) {
	if in.store.ptr == nil {
		return x, false
	}
	p := (*C.char)(unsafe.Pointer(unsafe.StringData(name)))
	ok = bool(C.wasmtime_instance_export_get(in.store.context, &in.ptr, p, C.size_t(len(name)), &x))
	return x, ok
}

// findMemory caches the export "memory" for the trampoline.
func (in *Instance) findMemory() {
	if x, ok := in.export("memory"); ok && x.kind == C.WASMTIME_EXTERN_MEMORY {
		in.guest.memory = *(*C.wasmtime_memory_t)(unsafe.Pointer(&x.of))
		in.guest.has_memory = true
	}
	in.guest.ready = true
}

// Memory implements engine.Instance.
func (in *Instance) Memory(name string) []byte {
	x, ok := in.export(name)
	if !ok || x.kind != C.WASMTIME_EXTERN_MEMORY {
		return nil
	}
	var size C.size_t
	base := C.wherry_memory(in.store.context, (*C.wasmtime_memory_t)(unsafe.Pointer(&x.of)), &size)
	return view(unsafe.Pointer(base), uintptr(size))
}

// view is the bytes of a linear memory; an empty memory is not nil.
func view(base unsafe.Pointer, size uintptr) []byte {
	if size == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(base), size)
}

// Extern implements engine.Instance. What the instance only hands on is given
// as what it imported, so that a host function sees its real caller's memory.
func (in *Instance) Extern(name string) engine.Extern {
	i := in.sig.Export(name)
	if i < 0 {
		return nil
	}
	if from := in.sig.Reexports[i]; from >= 0 {
		return in.imported[from]
	}
	ptr, ok := in.export(name)
	if !ok {
		return nil
	}
	return &extern{store: in.store, typ: in.sig.Exports[i].Type, ptr: ptr}
}

// Call implements engine.Instance.
func (in *Instance) Call(ctx context.Context, name string, params ...uint64) ([]uint64, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if in.store.ptr == nil {
		return nil, errClosed
	}
	i := in.sig.Export(name)
	if i < 0 || in.sig.Exports[i].Type.Kind != engine.KindFunc {
		return nil, fmt.Errorf("%w: function %q", engine.ErrNoExport, name)
	}
	x, ok := in.export(name)
	if !ok {
		return nil, fmt.Errorf("%w: function %q", engine.ErrNoExport, name)
	}
	typ := in.sig.Exports[i].Type.Func
	if err := typ.CheckParams(name, params); err != nil {
		return nil, err
	}
	return in.store.call(&x, typ, spread(typ, params))
}

// spread lays parameters out in wasmtime's 16-byte slots, with room for the
// results in the same place.
func spread(t engine.FuncType, params []uint64) []slot {
	slots := make([]slot, max(len(t.Params), len(t.Results)))
	for i, v := range t.Params {
		n := copy(slots[i][:], params[:v.Slots()])
		params = params[n:]
	}
	return slots
}

// slot is a wasmtime_val_raw_t: 16 bytes, a value in the low ones.
type slot [2]uint64

func (s *Store) call(x *C.wasmtime_extern_t, t engine.FuncType, slots []slot) ([]uint64, error) {
	f := (*C.wasmtime_func_t)(unsafe.Pointer(&x.of))
	raw := (*C.wasmtime_val_raw_t)(unsafe.Pointer(unsafe.SliceData(slots)))
	var out C.wherry_outcome
	C.wherry_call(s.context, f, raw, C.size_t(len(slots)), s.stack, &out)
	s.caller.stale = true // for a host function that made this call: memory may have grown
	if err := s.finish(&out); err != nil {
		return nil, err
	}
	results := make([]uint64, 0, engine.Slots(t.Results))
	for i, v := range t.Results {
		switch v {
		case engine.V128:
			results = append(results, slots[i][0], slots[i][1])
		case engine.I32, engine.F32, engine.ExternRef:
			results = append(results, uint64(uint32(slots[i][0])))
		default:
			results = append(results, slots[i][0])
		}
	}
	return results, nil
}
