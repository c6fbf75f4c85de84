//go:build linux

package preview1

import (
	"encoding/binary"
	"maps"
	"slices"
	"testing"

	"wherry/internal/engine"
)

// puppet is a guest that makes whatever call a test wants: for each function it
// has an export of its name. Of functions in several forms it imports the first
// or the last, as an engine may want one form of each. Its memory has one page
// and does not grow.
func puppet(last bool, names ...string) []byte {
	var types, imports, funcs, exports, bodies [][]byte
	for at, name := range names {
		f := form(name, last)
		typ := append([]byte{0x60}, uleb(len(f.params))...)
		body := []byte{0} // no locals
		for i, c := range f.params {
			if c == 'i' {
				typ = append(typ, byte(engine.I32))
			} else {
				typ = append(typ, byte(engine.I64))
			}
			body = append(append(body, 0x20), uleb(i)...) // local.get
		}
		if f.void {
			typ = append(typ, 0)
		} else {
			typ = append(typ, 1, byte(engine.I32))
		}
		types = append(types, typ)
		imports = append(imports, slices.Concat(named(Module), named(name), []byte{0}, uleb(at)))
		funcs = append(funcs, uleb(at))
		exports = append(exports, slices.Concat(named(name), []byte{0}, uleb(len(names)+at)))
		body = append(append(append(body, 0x10), uleb(at)...), 0x0b) // call, end
		bodies = append(bodies, append(uleb(len(body)), body...))
	}
	exports = append(exports, slices.Concat(named("memory"), []byte{2, 0}))
	return slices.Concat([]byte("\x00asm\x01\x00\x00\x00"), section(1, types...), section(2, imports...), section(3, funcs...),
		section(5, []byte{1, 1, 1}), section(7, exports...), section(10, bodies...))
}

// form is a function's first form or its last.
func form(name string, last bool) *function {
	forms := functions[name]
	if last {
		return &forms[len(forms)-1]
	}
	return &forms[0]
}

// section, named and uleb write parts of a module (Core Specification 5).
func section(id byte, items ...[]byte) []byte {
	body := append(uleb(len(items)), slices.Concat(items...)...)
	return slices.Concat([]byte{id}, uleb(len(body)), body)
}

func named(s string) []byte { return append(uleb(len(s)), s...) }

func uleb(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

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

// scope is a test whose cleanups run when it is closed.
type scope struct {
	testing.TB
	cleanups []func()
}

func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }
func (s *scope) close() {
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
}
