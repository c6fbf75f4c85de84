package signature

// reader takes values off a byte slice. After the first thing that does not
// fit, bad is set and every read gives zero.
type reader struct {
	data []byte
	off  int
	bad  bool
}

func (r *reader) done() bool { return r.bad || r.off >= len(r.data) }

func (r *reader) peek() byte {
	if r.done() {
		r.bad = true
		return 0
	}
	return r.data[r.off]
}

func (r *reader) byte() byte {
	b := r.peek()
	if !r.bad {
		r.off++
	}
	return b
}

func (r *reader) bytes(n uint32) []byte {
	if r.bad || uint64(n) > uint64(len(r.data)-r.off) {
		r.bad = true
		return nil
	}
	b := r.data[r.off : r.off+int(n)]
	r.off += int(n)
	return b
}

func (r *reader) name() string { return string(r.bytes(r.u32())) }

// each reads a count and calls f so often, or until something is bad. A count
// beyond the bytes left is bad at once: every element takes at least one.
func (r *reader) each(f func()) {
	n := r.u32()
	if uint64(n) > uint64(len(r.data)-r.off) {
		r.bad = true
	}
	for ; n > 0 && !r.bad; n-- {
		f()
	}
}

func (r *reader) u32() uint32 {
	v := r.u64()
	if v > 1<<32-1 {
		r.bad = true
		return 0
	}
	return uint32(v)
}

// u64 reads unsigned LEB128 (Core Specification 5.2.2).
func (r *reader) u64() uint64 {
	var v uint64
	for shift := uint(0); shift < 70; shift += 7 {
		b := r.byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	r.bad = true
	return 0
}

// s33 reads the signed LEB128 of a heap type; negative ones are abstract.
func (r *reader) s33() int64 {
	var v int64
	for shift := uint(0); shift < 70; shift += 7 {
		b := r.byte()
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			if b&0x40 != 0 && shift+7 < 64 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
	r.bad = true
	return 0
}

// constExpr skips a constant expression up to and with its end
// (Core Specification 3.0, 3.4.15).
func (r *reader) constExpr() {
	for !r.bad {
		switch op := r.byte(); op {
		case 0x0b: // end
			return
		case 0x23, 0xd2: // global.get, ref.func
			r.u32()
		case 0x41, 0x42, 0xd0: // i32.const, i64.const, ref.null
			r.s33()
		case 0x43: // f32.const
			r.bytes(4)
		case 0x44: // f64.const
			r.bytes(8)
		case 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e: // extended constants: add, sub, mul
		case 0xfd: // v128.const is the only one of its page
			r.u32()
			r.bytes(16)
		case 0xfb:
			r.gcConst()
		default:
			r.bad = true
		}
	}
}

// gcConst skips the immediates of the constant GC instructions.
func (r *reader) gcConst() {
	switch r.u32() {
	case 0, 1, 6, 7: // struct.new, struct.new_default, array.new, array.new_default
		r.u32()
	case 8: // array.new_fixed
		r.u32()
		r.u32()
	case 26, 27, 28: // any.convert_extern, extern.convert_any, ref.i31
	default:
		r.bad = true
	}
}
