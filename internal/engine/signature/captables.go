package signature

import (
	"bytes"
	"encoding/binary"

	"wherry/internal/engine"
)

// CapTables gives the module with the maximum of each of its own tables at
// most limit, for engines that know no other bound. A module that needs no
// change is given back as it is. wasm must be valid.
func CapTables(wasm []byte, limit uint64) []byte {
	r := reader{data: wasm, off: len(preamble)}
	for !r.done() {
		at := r.off
		id := r.byte()
		body := r.bytes(r.u32())
		if r.bad || id != sectionTable {
			continue
		}
		capped := capTableSection(body, limit)
		if bytes.Equal(capped, body) {
			return wasm
		}
		out := append(bytes.Clone(wasm[:at]), id)
		out = append(binary.AppendUvarint(out, uint64(len(capped))), capped...)
		return append(out, wasm[r.off:]...)
	}
	return wasm
}

func capTableSection(body []byte, limit uint64) []byte {
	r := reader{data: body}
	n := r.u32()
	out := binary.AppendUvarint(nil, uint64(n))
	for ; n > 0 && !r.bad; n-- {
		start := r.off
		initialised := r.peek() == 0x40
		if initialised {
			r.bytes(2)
		}
		valueType(&r)
		out = append(out, body[start:r.off]...)
		flags := r.peek()
		var t engine.ExternType
		limits(&r, &t)
		if !t.HasMax || t.Max > limit {
			t.Max = limit
		}
		out = append(out, flags|1)
		out = binary.AppendUvarint(binary.AppendUvarint(out, t.Min), t.Max)
		if initialised {
			start = r.off
			r.constExpr()
			out = append(out, body[start:r.off]...)
		}
	}
	if r.bad {
		return body
	}
	return out
}
