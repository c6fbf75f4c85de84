//go:build cgo && linux && (amd64 || arm64)

package wasmtime

// #include "glue.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"wherry/internal/engine"
)

// finish turns the outcome of a call into an error and frees it. A call that
// the host ended gives the host's own error, whatever wasmtime made of it.
func (s *Store) finish(out *C.wherry_outcome) error {
	if out.short_stack != 0 {
		return fmt.Errorf("this thread's stack has %d bytes, a guest needs %d and room for the host, and no other thread can be made: raise the limits on stack and processes (ulimit -s, -u)",
			uint64(out.short_stack), uint64(s.stack))
	}
	pending := s.pending
	s.pending = nil
	var frames C.wasm_frame_vec_t // borrows from the trap or error
	var err error
	switch {
	case out.trap != nil:
		defer C.wasm_trap_delete(out.trap)
		C.wasm_trap_trace(out.trap, &frames)
		err = trapOf(out.trap)
	case out.error != nil:
		defer C.wasmtime_error_delete(out.error)
		C.wasmtime_error_wasm_trace(out.error, &frames)
		err = errors.New(errorText(out.error))
	default:
		return nil
	}
	defer C.wasm_frame_vec_delete(&frames)
	if pending != nil {
		err = pending
	} else if _, ok := err.(*engine.Trap); !ok && frames.size > 0 {
		// An error from inside the guest that is no trap: an exception that
		// nothing caught.
		err = &engine.Trap{Code: engine.TrapOther, Detail: err.Error()}
	}
	if t, ok := err.(*engine.Trap); ok && t.Frames == nil {
		t.Frames = framesOf(&frames)
	}
	return err
}

func trapOf(p *C.wasm_trap_t) *engine.Trap {
	t := &engine.Trap{Code: engine.TrapOther}
	var code C.uint8_t
	if C.wasmtime_trap_code(p, &code) {
		if known, ok := trapCodes[code]; ok {
			t.Code = known
			return t
		}
	}
	var v C.wasm_byte_vec_t
	C.wasm_trap_message(p, &v)
	defer C.wasm_byte_vec_delete(&v)
	t.Detail = oneLine(string(vecBytes(&v)))
	return t
}

func framesOf(v *C.wasm_frame_vec_t) []engine.Frame {
	list := unsafe.Slice(v.data, int(v.size))
	frames := make([]engine.Frame, len(list))
	for i, f := range list {
		if at := C.wasm_frame_module_offset(f); at != ^C.size_t(0) {
			frames[i].Offset = uint64(at)
		}
		if name := C.wasmtime_frame_func_name(f); name != nil && name.size > 0 {
			frames[i].Func = string(vecBytes((*C.wasm_byte_vec_t)(unsafe.Pointer(name))))
		} else {
			frames[i].Func = fmt.Sprintf("func[%d]", uint32(C.wasm_frame_func_index(f)))
		}
	}
	return frames
}
