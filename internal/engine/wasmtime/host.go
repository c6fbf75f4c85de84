//go:build cgo && linux && (amd64 || arm64)

package wasmtime

// #include "glue.h"
import "C"

import (
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"wherry/internal/engine"
)

// hostFunc is a host function with its type taken apart for the call.
type hostFunc struct {
	call    func(engine.Caller, []uint64) error
	params  []engine.ValueType
	results []engine.ValueType
	slots   int
}

func newHostFunc(f *engine.HostFunc) hostFunc {
	return hostFunc{
		call:    f.Call,
		params:  f.Type.Params,
		results: f.Type.Results,
		slots:   max(engine.Slots(f.Type.Params), engine.Slots(f.Type.Results)),
	}
}

// caller implements engine.Caller. A store has one; each host call fills it.
type caller struct {
	base  unsafe.Pointer
	size  uintptr
	store *Store
	guest *C.wherry_guest
	stale bool
}

// wherryHostCall runs host function number of a store. slots are wasmtime's, 16
// bytes each, parameters in and results out. The answer is 0, or 1 for a call
// that must end; the store's pending says why.
//
// The slots are made into the contract's 8-byte ones in place: value i never
// moves up, so its neighbours are not overwritten, and nothing is allocated.
//
//export wherryHostCall
func wherryHostCall(storeID, number C.uint32_t, guest *C.wherry_guest, slots *C.uint64_t, base *C.uint8_t, size C.size_t) (failed C.int) {
	s := (*stores.list.Load())[storeID]
	f := &s.funcs[number]
	outer := s.caller
	s.caller = caller{store: s, guest: guest, base: unsafe.Pointer(base), size: uintptr(size)}
	defer func() {
		s.caller = outer
		if v := recover(); v != nil {
			s.pending = engine.HostPanic(v)
			failed = 1
		}
	}()
	stack := f.pack((*uint64)(slots))
	if err := f.call(&s.caller, stack); err != nil {
		s.pending = err
		return 1
	}
	f.unpack(stack)
	return 0
}

// pack moves parameters from 16-byte slots to 8-byte ones. The result has room
// for the results too, and the memory behind it for 16 bytes each of them.
func (f *hostFunc) pack(first *uint64) []uint64 {
	wide := unsafe.Slice(first, 2*max(len(f.params), len(f.results)))
	n := 0
	for i, t := range f.params {
		switch t {
		case engine.I32, engine.F32, engine.ExternRef:
			wide[n] = uint64(uint32(wide[2*i])) // what lies above is not defined
		case engine.V128:
			wide[n], wide[n+1] = wide[2*i], wide[2*i+1]
			n++
		default:
			wide[n] = wide[2*i]
		}
		n++
	}
	return wide[:f.slots]
}

// unpack moves results back to 16-byte slots, the last one first.
func (f *hostFunc) unpack(stack []uint64) {
	wide := stack[:2*len(f.results)]
	n := engine.Slots(f.results)
	for i := len(f.results) - 1; i >= 0; i-- {
		if f.results[i] == engine.V128 {
			n -= 2
			wide[2*i], wide[2*i+1] = stack[n], stack[n+1]
			continue
		}
		n--
		wide[2*i] = stack[n]
	}
}

// Memory implements engine.Caller.
func (c *caller) Memory() []byte {
	if c.stale {
		c.refresh()
	}
	if c.base == nil {
		return nil
	}
	return view(c.base, c.size)
}

// refresh looks the memory up again after the host function called the guest.
func (c *caller) refresh() {
	c.stale = false
	if !c.guest.has_memory {
		return
	}
	var size C.size_t
	c.base = unsafe.Pointer(C.wherry_memory(c.store.context, &c.guest.memory, &size))
	c.size = uintptr(size)
}

// stores maps the numbers that C keeps to stores. Reading it is an atomic load;
// it is copied when a store comes or goes.
var stores registry

type registry struct {
	mu   sync.Mutex
	free []uint32
	list atomic.Pointer[[]*Store]
}

func (r *registry) add(s *Store) uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*Store
	if p := r.list.Load(); p != nil {
		list = slices.Clone(*p)
	}
	var id uint32
	if n := len(r.free); n > 0 {
		id, r.free = r.free[n-1], r.free[:n-1]
		list[id] = s
	} else {
		id = uint32(len(list))
		list = append(list, s)
	}
	r.list.Store(&list)
	return id
}

func (r *registry) remove(id uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := slices.Clone(*r.list.Load())
	list[id] = nil
	r.list.Store(&list)
	r.free = append(r.free, id)
}
