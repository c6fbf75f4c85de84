package signature

import (
	"bytes"
	"fmt"

	"wherry/internal/engine"
)

// Section ids (Core Specification 5.5.2; tag: exception handling proposal).
const (
	sectionType   = 1
	sectionImport = 2
	sectionFunc   = 3
	sectionTable  = 4
	sectionMemory = 5
	sectionGlobal = 6
	sectionExport = 7
	sectionTag    = 13
)

var preamble = []byte("\x00asm\x01\x00\x00\x00")

// Parse reads the signature of a module in the binary format. It takes time in
// the number of sections, types and declared functions, not in code size.
func Parse(wasm []byte) (*Signature, error) {
	if !bytes.HasPrefix(wasm, preamble) {
		return nil, fmt.Errorf("%w: it does not begin with the preamble of a core module", engine.ErrInvalidModule)
	}
	p := parser{sig: &Signature{}}
	r := reader{data: wasm, off: len(preamble)}
	for !r.done() {
		at := r.off
		id := r.byte()
		body := r.bytes(r.u32())
		if r.bad {
			return nil, fmt.Errorf("%w: section at %#x: %w", engine.ErrInvalidModule, at, errBad)
		}
		s := reader{data: body}
		p.section(id, &s)
		if s.bad {
			return nil, fmt.Errorf("%w: section %d at %#x: %w", engine.ErrInvalidModule, id, at, errBad)
		}
		if id == sectionExport {
			break // nothing behind the exports has types that count here
		}
	}
	p.sig.Tables, p.sig.Memories = p.defined(engine.KindTable), p.defined(engine.KindMemory)
	return p.sig, nil
}

// defined are the entries of an index space that are not imported.
func (p *parser) defined(k engine.ExternKind) []engine.ExternType {
	return p.spaces[k].types[len(p.spaces[k].imports):]
}

// parser collects the index spaces of a module. Imports come first in each, so
// an index below the imported count is a re-export.
type parser struct {
	sig    *Signature
	types  []engine.FuncType
	spaces [5]space
	// funcs are the type indices of the module's own functions, of which a
	// hostile module has millions.
	funcs []uint32
}

// space is the index space of one kind.
type space struct {
	types   []engine.ExternType
	imports []int // import index of each entry that is imported
}

func (p *parser) section(id byte, r *reader) {
	switch id {
	case sectionType:
		p.typeSection(r)
	case sectionImport:
		r.each(func() { p.importEntry(r) })
	case sectionFunc:
		r.each(func() { p.funcs = append(p.funcs, p.typeIndex(r)) })
	case sectionTable:
		r.each(func() { p.own(tableEntry(r)) })
	case sectionMemory:
		r.each(func() { p.own(memoryType(r)) })
	case sectionTag:
		r.each(func() { p.own(p.tagType(r)) })
	case sectionGlobal:
		r.each(func() {
			t := globalType(r)
			r.constExpr()
			p.own(t)
		})
	case sectionExport:
		r.each(func() { p.exportEntry(r) })
	}
}

func (p *parser) own(t engine.ExternType) {
	s := &p.spaces[t.Kind]
	s.types = append(s.types, t)
}

func (p *parser) importEntry(r *reader) {
	im := engine.Import{Module: r.name(), Name: r.name()}
	switch kind := engine.ExternKind(r.byte()); kind {
	case engine.KindFunc:
		im.Type = p.funcType(r)
	case engine.KindTable:
		im.Type = tableType(r)
	case engine.KindMemory:
		im.Type = memoryType(r)
	case engine.KindGlobal:
		im.Type = globalType(r)
	case engine.KindTag:
		im.Type = p.tagType(r)
	default:
		r.bad = true
	}
	if r.bad {
		return
	}
	s := &p.spaces[im.Type.Kind]
	s.types = append(s.types, im.Type)
	s.imports = append(s.imports, len(p.sig.Imports))
	p.sig.Imports = append(p.sig.Imports, im)
}

func (p *parser) exportEntry(r *reader) {
	ex := engine.Export{Name: r.name()}
	kind, index := engine.ExternKind(r.byte()), int(r.u32())
	if int(kind) >= len(p.spaces) {
		r.bad = true
		return
	}
	s := &p.spaces[kind]
	own := index - len(s.types)
	switch {
	case own < 0:
		ex.Type = s.types[index]
	case kind == engine.KindFunc && own < len(p.funcs):
		ex.Type = engine.ExternType{Kind: kind, Func: p.types[p.funcs[own]]}
	default:
		r.bad = true
		return
	}
	from := -1
	if index < len(s.imports) {
		from = s.imports[index]
	}
	p.sig.Exports = append(p.sig.Exports, ex)
	p.sig.Reexports = append(p.sig.Reexports, from)
}

// typeIndex reads the index of a type that there is.
func (p *parser) typeIndex(r *reader) uint32 {
	i := r.u32()
	if uint64(i) >= uint64(len(p.types)) {
		r.bad = true
		return 0
	}
	return i
}

func (p *parser) funcType(r *reader) engine.ExternType {
	t := engine.ExternType{Kind: engine.KindFunc}
	if i := p.typeIndex(r); !r.bad {
		t.Func = p.types[i]
	}
	return t
}

func (p *parser) tagType(r *reader) engine.ExternType {
	r.byte() // the attribute, always 0: an exception
	t := p.funcType(r)
	t.Kind = engine.KindTag
	return t
}
