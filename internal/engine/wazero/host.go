package wazero

import (
	"context"

	"github.com/tetratelabs/wazero/api"

	"wherry/internal/engine"
)

// caller implements engine.Caller. A store has one; each host call sets it.
type caller struct {
	module api.Module
	// found and memory remember the last module asked, nearly always the same.
	found  api.Module
	memory api.Memory
}

// Memory implements engine.Caller.
func (c *caller) Memory() []byte {
	if c.module != c.found {
		c.found, c.memory = c.module, c.module.ExportedMemory("memory")
	}
	return bytesOf(c.memory)
}

// bytesOf is a view of a whole memory; nil for none.
func bytesOf(m api.Memory) []byte {
	if m == nil {
		return nil
	}
	b, _ := m.Read(0, m.Size())
	return b
}

// abort carries the error of a host function through wazero, which ends a call
// only for a panic.
type abort struct{ err error }

func (a *abort) Error() string { return a.err.Error() }
func (a *abort) Unwrap() error { return a.err }

// hostFunc adapts a host function. wazero's stack has the contract's form: one
// slot a value, two for v128.
func (s *Store) hostFunc(f *engine.HostFunc) api.GoModuleFunc {
	params, results := narrow(f.Type.Params), narrow(f.Type.Results)
	slots := max(engine.Slots(f.Type.Params), engine.Slots(f.Type.Results))
	return func(_ context.Context, m api.Module, stack []uint64) {
		stack = stack[:slots]
		outer := s.caller.module
		s.caller.module = m
		defer func() {
			s.caller.module = outer
			if v := recover(); v != nil {
				if a, ok := v.(*abort); ok {
					panic(a)
				}
				panic(&abort{engine.HostPanic(v)})
			}
		}()
		params.clear(stack)
		if err := f.Call(&s.caller, stack); err != nil {
			panic(&abort{err})
		}
		results.clear(stack)
	}
}

// narrowSlots are the slots whose value has 32 bits; the rest of such a slot is
// not defined by wazero, and is zero by the contract.
type narrowSlots []int

func narrow(ts []engine.ValueType) (n narrowSlots) {
	at := 0
	for _, t := range ts {
		if t == engine.I32 || t == engine.F32 {
			n = append(n, at)
		}
		at += t.Slots()
	}
	return n
}

func (n narrowSlots) clear(stack []uint64) {
	for _, i := range n {
		stack[i] = uint64(uint32(stack[i]))
	}
}
