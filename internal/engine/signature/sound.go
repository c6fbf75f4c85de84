package signature

import (
	"fmt"

	"wherry/internal/engine"
)

const (
	sectionCustom  = 0
	sectionElement = 9
	sectionCode    = 10
	sectionData    = 11
)

// maxLocals bounds the locals of a function: they are declared by number, so
// that a few bytes ask for billions. Browsers and wasmtime have the same bound
// (WebAssembly JavaScript Interface, "Implementation-defined Limits").
const maxLocals = 50_000

// Sound holds that nothing in a module claims to be more than its bytes can
// hold: the number of a vector's elements, the length of a name, a body or a
// data segment. It is for engines that make room for what is claimed before
// they read it, where 26 bytes would take 38 GB. Debug names that claim too
// much are no fault of the module (Core Specification 7.4.1): it is given back
// without them, otherwise as it is. wasm must have passed Parse.
func Sound(wasm []byte) ([]byte, error) {
	r := reader{data: wasm, off: len(preamble)}
	var kept []byte // what stands before the sections dropped so far
	from := 0       // the end of the last of them
	for !r.done() {
		at := r.off
		id := r.byte()
		s := reader{data: r.bytes(r.u32())}
		if r.bad {
			s.bad = true
		} else if id == sectionCustom {
			if s.name() == "name" && !s.names() {
				kept = append(kept, wasm[from:at]...)
				from = r.off
			}
			continue
		}
		switch id {
		case sectionElement:
			s.each(func() { s.element() })
		case sectionCode:
			s.each(func() { s.body() })
		case sectionData:
			s.each(func() { s.dataSegment() })
		}
		if s.bad {
			return nil, fmt.Errorf("%w: section %d at %#x: %w", engine.ErrInvalidModule, id, at, errBad)
		}
	}
	if from == 0 {
		return wasm, nil
	}
	return append(kept, wasm[from:]...), nil
}

// names tells whether a name section claims no more than it has.
func (r *reader) names() bool {
	for !r.done() {
		id := r.byte()
		s := reader{data: r.bytes(r.u32())}
		assoc := func() { s.u32(); s.name() }
		switch id {
		case 0:
			s.name()
		case 1:
			s.each(assoc)
		case 2:
			s.each(func() { s.u32(); s.each(assoc) })
		}
		if s.bad {
			return false
		}
	}
	return !r.bad
}

// element skips an element segment (Core Specification 5.5.12).
func (r *reader) element() {
	flags := r.u32()
	if flags > 7 {
		r.bad = true
		return
	}
	active, explicit, exprs := flags&1 == 0, flags&3 != 0, flags&4 != 0
	if flags&3 == 2 {
		r.u32() // the table
	}
	if active {
		r.constExpr()
	}
	if explicit {
		if exprs {
			valueType(r)
		} else {
			r.byte()
		}
	}
	if exprs {
		r.each(r.constExpr)
	} else {
		r.each(func() { r.u32() })
	}
}

// body skips a function's body but for its locals (Core Specification 5.5.13).
func (r *reader) body() {
	s := reader{data: r.bytes(r.u32())}
	total := uint64(0)
	s.each(func() {
		total += uint64(s.u32())
		valueType(&s)
	})
	if s.bad || total > maxLocals {
		r.bad = true
	}
}

// dataSegment skips a data segment (Core Specification 5.5.14).
func (r *reader) dataSegment() {
	flags := r.u32()
	if flags > 2 {
		r.bad = true
		return
	}
	if flags == 2 {
		r.u32() // the memory
	}
	if flags != 1 {
		r.constExpr()
	}
	r.bytes(r.u32())
}
