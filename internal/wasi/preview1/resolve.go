//go:build linux

package preview1

import (
	"wherry/internal/engine"
)

// Module is the name that guests import from.
const Module = "wasi_snapshot_preview1"

// args are the parameters of a call, a slot each.
type args []uint64

// u32 is the i-th parameter, an i32: the upper half of a slot means nothing.
func (a args) u32(i int) uint32 { return uint32(a[i]) }

// u64 is the i-th parameter, an i64.
func (a args) u64(i int) uint64 { return a[i] }

// function is a call: its parameters' types ("i" is i32, "I" is i64; the result
// is an errno, an i32) and what serves it.
type function struct {
	params string
	call   func(*Host, memory, args) errno
	// end serves in place of call where a call may end the guest; void says
	// that it has no result.
	end  func(engine.Caller, []uint64) error
	void bool
}

// Resolve answers an import of a guest. Of functions that exist in several
// forms it gives the one whose type the guest declares, and where none fits the
// newest, so that the engine's error shows what it could have been.
func (h *Host) Resolve(imp engine.Import) (engine.Extern, bool) {
	if imp.Module != Module {
		return nil, false
	}
	forms := functions[imp.Name]
	if len(forms) == 0 {
		return nil, false
	}
	f := &forms[len(forms)-1]
	for i := range forms {
		if forms[i].typ().Equal(imp.Type.Func) {
			f = &forms[i]
		}
	}
	// A module may import one name twice, and engines then want one thing.
	if h.resolved[f] == nil {
		h.resolved[f] = h.bind(f)
	}
	return h.resolved[f], true
}

// bind makes what an engine can call.
func (h *Host) bind(f *function) *engine.HostFunc {
	if f.end != nil {
		return &engine.HostFunc{Type: f.typ(), Call: f.end}
	}
	call := f.call
	return &engine.HostFunc{Type: f.typ(), Call: func(c engine.Caller, stack []uint64) error {
		stack[0] = uint64(call(h, c.Memory(), stack))
		return nil
	}}
}

func procExit(_ engine.Caller, stack []uint64) error { return &ExitError{Code: uint32(stack[0])} }

func procRaise(_ engine.Caller, stack []uint64) error {
	e, err := raise(uint32(stack[0]))
	stack[0] = uint64(e)
	return err
}

// typ is the function's type.
func (f *function) typ() engine.FuncType {
	if f.void {
		return engine.FuncType{Params: types(f.params)}
	}
	return engine.FuncType{Params: types(f.params), Results: types("i")}
}

func types(list string) []engine.ValueType {
	out := make([]engine.ValueType, len(list))
	for i, c := range list {
		out[i] = engine.I32
		if c == 'I' {
			out[i] = engine.I64
		}
	}
	return out
}
