package signature

import (
	"encoding/binary"
	"errors"

	"wherry/internal/engine"
)

// Append adds the signature in a form of our own that Decode reads, for engines
// whose compiled code does without the module's bytes.
func (s *Signature) Append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(s.Imports)))
	for _, im := range s.Imports {
		b = appendString(b, im.Module)
		b = appendString(b, im.Name)
		b = appendType(b, im.Type)
	}
	b = binary.AppendUvarint(b, uint64(len(s.Exports)))
	for i, ex := range s.Exports {
		b = appendString(b, ex.Name)
		b = appendType(b, ex.Type)
		b = binary.AppendUvarint(b, uint64(s.Reexports[i]+1))
	}
	for _, list := range [][]engine.ExternType{s.Memories, s.Tables} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, t := range list {
			b = appendType(b, t)
		}
	}
	return b
}

// Decode reads what Append wrote.
func Decode(data []byte) (*Signature, error) {
	r := &reader{data: data}
	s := &Signature{}
	r.each(func() {
		s.Imports = append(s.Imports, engine.Import{Module: r.name(), Name: r.name(), Type: readType(r)})
	})
	r.each(func() {
		s.Exports = append(s.Exports, engine.Export{Name: r.name(), Type: readType(r)})
		s.Reexports = append(s.Reexports, int(r.u32())-1)
	})
	for _, list := range []*[]engine.ExternType{&s.Memories, &s.Tables} {
		r.each(func() { *list = append(*list, readType(r)) })
	}
	for _, i := range s.Reexports {
		if i >= len(s.Imports) {
			r.bad = true
		}
	}
	if r.bad || !r.done() {
		return nil, errors.New("the signature is garbled")
	}
	return s, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendType(b []byte, t engine.ExternType) []byte {
	var flags byte
	if t.Mutable {
		flags |= 1
	}
	if t.HasMax {
		flags |= 2
	}
	b = append(b, byte(t.Kind), flags, byte(t.Value))
	b = binary.AppendUvarint(b, t.Min)
	b = binary.AppendUvarint(b, t.Max)
	for _, list := range [][]engine.ValueType{t.Func.Params, t.Func.Results} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, v := range list {
			b = append(b, byte(v))
		}
	}
	return b
}

func readType(r *reader) engine.ExternType {
	t := engine.ExternType{Kind: engine.ExternKind(r.byte())}
	flags := r.byte()
	t.Mutable, t.HasMax = flags&1 != 0, flags&2 != 0
	t.Value = engine.ValueType(r.byte())
	t.Min, t.Max = r.u64(), r.u64()
	for _, list := range []*[]engine.ValueType{&t.Func.Params, &t.Func.Results} {
		r.each(func() { *list = append(*list, engine.ValueType(r.byte())) })
	}
	return t
}
