// Package module reads what a WebAssembly binary says of itself: whether it is
// a core module or a component, what it imports and exports, which toolchain
// made it, and what it could do to the world when it runs.
//
// It is a parser of structure only. It must not know an engine, WASI's
// implementation or images, and it imports nothing of Wherry's. It never reads
// function bodies or data into memory, so a module of any size costs little.
package module

import "fmt"

// Kind tells the two layers of the binary format apart.
type Kind int

// The kinds of WebAssembly binaries.
const (
	// Core is a core module (Core Specification, chapter 5).
	Core Kind = iota
	// Component is a component (Component Model, Binary.md).
	Component
)

// String names the kind.
func (k Kind) String() string {
	if k == Component {
		return "component"
	}
	return "module"
}

// ExternKind is the kind of an import or export of a core module, in its
// binary encoding (Core Specification 5.5.5).
type ExternKind byte

// The kinds of imports and exports. Of a component's only functions and
// "other" things such as instances and types are told apart.
const (
	Func   ExternKind = 0
	Table  ExternKind = 1
	Memory ExternKind = 2
	Global ExternKind = 3
	Tag    ExternKind = 4
	// Other is whatever a component may import beyond functions.
	Other ExternKind = 0xff
)

// String gives the kind's name in the text format.
func (k ExternKind) String() string {
	switch k {
	case Func:
		return "func"
	case Table:
		return "table"
	case Memory:
		return "memory"
	case Global:
		return "global"
	case Tag:
		return "tag"
	case Other:
		return "other"
	}
	return fmt.Sprintf("extern(%d)", byte(k))
}

// Import is one import. Module is empty for a component, whose imports have
// one name.
type Import struct {
	Module, Name string
	Kind         ExternKind
}

// String writes the import as it appears in messages: module.name.
func (i Import) String() string {
	if i.Module == "" {
		return i.Name
	}
	return i.Module + "." + i.Name
}

// Export is one export.
type Export struct {
	Name string
	Kind ExternKind
}

// MemoryType is a linear memory that a core module defines or imports.
type MemoryType struct {
	// Min and Max are sizes in pages of 64 KiB; Max counts if HasMax.
	Min, Max uint64
	HasMax   bool
	// Shared marks the memories of the threads proposal, Memory64 those with
	// 64-bit addresses, Imported those that come from outside.
	Shared, Memory64, Imported bool
}

// Producer is one entry of the "producers" custom section
// (tool-conventions/ProducersSection.md).
type Producer struct {
	// Field is "language", "processed-by" or "sdk".
	Field, Name, Version string
}

// Info is what a binary says of itself.
type Info struct {
	Kind Kind
	// Size is the size of the whole binary in bytes.
	Size    int64
	Imports []Import
	Exports []Export
	// Memories are a core module's memories, imported ones first.
	Memories []MemoryType
	// CustomSections are the names of custom sections in the order found, at
	// most maxCustom of them.
	CustomSections []string
	// GoBuild tells that Go's toolchain made the module.
	GoBuild bool
	// Producers is the content of the "producers" section.
	Producers []Producer
	// HasStart tells that the module has a start section, which runs when it
	// is instantiated.
	HasStart bool
	// Functions is the number of functions that a core module defines.
	Functions uint32
}

// Export finds an export by name.
func (i *Info) Export(name string) (Export, bool) {
	for _, e := range i.Exports {
		if e.Name == name {
			return e, true
		}
	}
	return Export{}, false
}

// imports reports whether any import satisfies f, and the first that does.
func (i *Info) findImport(f func(Import) bool) (Import, bool) {
	for _, im := range i.Imports {
		if f(im) {
			return im, true
		}
	}
	return Import{}, false
}
