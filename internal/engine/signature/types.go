package signature

import "wherry/internal/engine"

// typeSection reads the module's types. What is no function (structs and
// arrays of the GC proposal) leaves an empty entry: it keeps the numbering and
// no import can name it.
func (p *parser) typeSection(r *reader) {
	r.each(func() {
		if r.peek() != 0x4e { // not a recursion group
			p.types = append(p.types, subType(r))
			return
		}
		r.byte()
		r.each(func() { p.types = append(p.types, subType(r)) })
	})
}

func subType(r *reader) engine.FuncType {
	if b := r.peek(); b == 0x50 || b == 0x4f { // sub, sub final: a list of supertypes
		r.byte()
		r.each(func() { r.u32() })
	}
	var t engine.FuncType
	switch r.byte() {
	case 0x60: // func
		r.each(func() { t.Params = append(t.Params, valueType(r)) })
		r.each(func() { t.Results = append(t.Results, valueType(r)) })
	case 0x5f: // struct
		r.each(func() { valueType(r); r.byte() })
	case 0x5e: // array
		valueType(r)
		r.byte()
	default:
		r.bad = true
	}
	return t
}

// valueType reads a value or storage type.
func valueType(r *reader) engine.ValueType {
	switch b := r.byte(); b {
	case 0x63: // (ref null heaptype); the long forms of funcref and externref are folded
		switch ht := r.s33(); ht {
		case -0x10:
			return engine.FuncRef
		case -0x11:
			return engine.ExternRef
		}
		return Ref
	case 0x64: // (ref heaptype)
		r.s33()
		return Ref
	case 0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x70, 0x6f:
		return engine.ValueType(b)
	case 0x78, 0x77: // i8, i16: fields only
		return engine.I32
	default:
		if b < 0x68 || b > 0x74 { // the abstract heap types in short form
			r.bad = true
		}
		return Ref
	}
}

func tableType(r *reader) engine.ExternType {
	t := engine.ExternType{Kind: engine.KindTable, Value: valueType(r)}
	limits(r, &t)
	return t
}

// tableEntry is a table of the table section, which may carry an initial value.
func tableEntry(r *reader) engine.ExternType {
	if r.peek() != 0x40 {
		return tableType(r)
	}
	r.byte()
	r.byte()
	t := tableType(r)
	r.constExpr()
	return t
}

func memoryType(r *reader) engine.ExternType {
	t := engine.ExternType{Kind: engine.KindMemory}
	limits(r, &t)
	return t
}

func globalType(r *reader) engine.ExternType {
	t := engine.ExternType{Kind: engine.KindGlobal, Value: valueType(r)}
	t.Mutable = r.byte() == 1
	return t
}

// limits reads bounds. Flags: 1 has a maximum, 2 shared, 4 64-bit, 8 a page
// size of its own.
func limits(r *reader, t *engine.ExternType) {
	flags := r.byte()
	if flags > 15 {
		r.bad = true
	}
	t.Min = r.u64()
	if flags&1 != 0 {
		t.Max, t.HasMax = r.u64(), true
	}
	if flags&8 != 0 {
		r.u32()
	}
}
