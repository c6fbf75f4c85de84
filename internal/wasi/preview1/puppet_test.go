//go:build linux

package preview1

import (
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"testing"

	"wherry/internal/engine"
)

// puppet is a guest that makes whatever call a test wants: for each function it
// has an export of the function's name, and for its second form one with "/1"
// behind it. Its memory has one page and does not grow.
func puppet(names ...string) []byte {
	var types, imports, funcs, exports, bodies [][]byte
	count := 0
	for _, name := range names {
		count += len(functions[name])
	}
	for _, name := range names {
		for form, f := range functions[name] {
			typ := []byte{0x60}
			typ = append(typ, uleb(uint32(len(f.params)))...)
			body := []byte{0} // no locals
			for i, c := range f.params {
				if c == 'i' {
					typ = append(typ, byte(engine.I32))
				} else {
					typ = append(typ, byte(engine.I64))
				}
				body = append(append(body, 0x20), uleb(uint32(i))...) // local.get
			}
			if f.void {
				typ = append(typ, 0)
			} else {
				typ = append(typ, 1, byte(engine.I32))
			}
			at := len(types)
			types = append(types, typ)
			imports = append(imports, slices.Concat(named(Module), named(name), []byte{0}, uleb(uint32(at))))
			funcs = append(funcs, uleb(uint32(at)))
			exports = append(exports, slices.Concat(named(exported(name, form)), []byte{0}, uleb(uint32(count+at))))
			body = append(append(append(body, 0x10), uleb(uint32(at))...), 0x0b) // call, end
			bodies = append(bodies, append(uleb(uint32(len(body))), body...))
		}
	}
	exports = append(exports, slices.Concat(named("memory"), []byte{2, 0}))
	return slices.Concat([]byte("\x00asm\x01\x00\x00\x00"), section(1, types...), section(2, imports...), section(3, funcs...),
		section(5, []byte{1, 1, 1}), section(7, exports...), section(10, bodies...))
}

// exported is the puppet's name for a form of a function.
func exported(name string, form int) string {
	if form == 0 {
		return name
	}
	return name + "/" + strconv.Itoa(form)
}

// section, named and uleb write parts of a module (Core Specification 5).
func section(id byte, items ...[]byte) []byte {
	body := append(uleb(uint32(len(items))), slices.Concat(items...)...)
	return slices.Concat([]byte{id}, uleb(uint32(len(body))), body)
}

func named(s string) []byte { return append(uleb(uint32(len(s))), s...) }

func uleb(n uint32) []byte { return binary.AppendUvarint(nil, uint64(n)) }

// everything is the names of all functions, in order.
func everything() []string { return slices.Sorted(maps.Keys(functions)) }

// world is a live puppet with a host behind it.
type world struct {
	testing.TB
	name string
	// try makes a call; an error is the end of the guest.
	try func(export string, params ...uint64) (errno, error)
	// mem is the puppet's memory, at a place that does not change.
	mem  memory
	next uint32
}

// newWorld makes a puppet on an engine, with a host of ours.
func newWorld(t testing.TB, e engine.Engine, m engine.Module, h *Host) *world {
	t.Helper()
	s, err := e.NewStore(engine.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	in, err := s.Instantiate(t.Context(), m, h.Resolve)
	if err != nil {
		t.Fatal(err)
	}
	return &world{TB: t, name: e.Name(), mem: in.Memory("memory"), try: func(export string, params ...uint64) (errno, error) {
		result, err := in.Call(t.Context(), export, params...)
		if err != nil || len(result) == 0 {
			return 0, err
		}
		return errno(result[0]), nil
	}}
}

// put puts bytes into memory, and begins again where it is full.
func (w *world) put(b []byte) uint64 {
	w.next = (w.next + 15) &^ 15
	if w.next < 1024 || int(w.next)+len(b) > len(w.mem) {
		w.next = 1024
	}
	at := w.next
	copy(w.mem[at:], b)
	w.next += uint32(len(b))
	return uint64(at)
}

func (w *world) room(n int) uint64             { return w.put(make([]byte, n)) }
func (w *world) text(s string) (ptr, n uint64) { return w.put([]byte(s)), uint64(len(s)) }
func (w *world) u32(at uint64) uint64          { return uint64(binary.LittleEndian.Uint32(w.mem[at:])) }
func (w *world) u64(at uint64) uint64          { return binary.LittleEndian.Uint64(w.mem[at:]) }
func (w *world) words(list ...uint64) uint64 {
	var b []byte
	for _, v := range list {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return w.put(b)
}
