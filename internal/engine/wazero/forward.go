package wazero

import (
	"encoding/binary"

	"wherry/internal/engine"
)

// forwarder writes a module in the binary format (Core Specification 5.5) that
// only hands on what it imports.
type forwarder struct {
	types, imports, exports vector
	count                   [5]uint64 // imports so far of each kind
}

// vector is the body of a section: a count and as many elements.
type vector struct {
	n    uint64
	data []byte
}

func (v vector) section(b []byte, id byte) []byte {
	body := append(binary.AppendUvarint(nil, v.n), v.data...)
	b = binary.AppendUvarint(append(b, id), uint64(len(body)))
	return append(b, body...)
}

// forward imports im and exports it as name. The type of a table or memory is
// what it is now, so that it matches exactly.
func (f *forwarder) forward(im engine.Import, name string) {
	kind := im.Type.Kind
	b := appendName(appendName(f.imports.data, im.Module), im.Name)
	b = append(b, byte(kind))
	switch kind {
	case engine.KindFunc:
		b = binary.AppendUvarint(b, f.funcType(im.Type.Func))
	case engine.KindTag:
		b = binary.AppendUvarint(append(b, 0), f.funcType(im.Type.Func))
	case engine.KindTable:
		b = appendLimits(append(b, byte(im.Type.Value)), im.Type)
	case engine.KindMemory:
		b = appendLimits(b, im.Type)
	case engine.KindGlobal:
		mutable := byte(0)
		if im.Type.Mutable {
			mutable = 1
		}
		b = append(b, byte(im.Type.Value), mutable)
	}
	f.imports.data = b
	f.imports.n++

	f.exports.data = append(appendName(f.exports.data, name), byte(kind))
	f.exports.data = binary.AppendUvarint(f.exports.data, f.count[kind])
	f.exports.n++
	f.count[kind]++
}

// funcType adds a function type and gives its index. wazero takes a type that
// stands there twice as one.
func (f *forwarder) funcType(t engine.FuncType) uint64 {
	b := append(f.types.data, 0x60)
	for _, list := range [][]engine.ValueType{t.Params, t.Results} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, v := range list {
			b = append(b, byte(v))
		}
	}
	f.types.data = b
	f.types.n++
	return f.types.n - 1
}

func (f *forwarder) encode() []byte {
	b := []byte("\x00asm\x01\x00\x00\x00")
	b = f.types.section(b, 1)
	b = f.imports.section(b, 2)
	return f.exports.section(b, 7)
}

func appendName(b []byte, name string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(name))), name...)
}

func appendLimits(b []byte, t engine.ExternType) []byte {
	if !t.HasMax {
		return binary.AppendUvarint(append(b, 0), t.Min)
	}
	return binary.AppendUvarint(binary.AppendUvarint(append(b, 1), t.Min), t.Max)
}
