// Package signature reads what a core module imports and exports, with full
// types, from its bytes.
//
// Engines disagree on what of this they tell: wasmtime's C API aborts the
// process when asked for the kind of a v128 or of a typed reference, wazero
// says nothing of imported tables and globals. So both engines take it from
// here. The package knows no engine and never looks into function bodies.
package signature

import (
	"errors"

	"wherry/internal/engine"
)

// Ref stands for every typed or abstract reference beyond funcref and
// externref (Core Specification 3.0, 5.3.4). No host function can have such a
// parameter, so one name for all of them is enough.
const Ref engine.ValueType = 0x64

// Signature is the outside of a module.
type Signature struct {
	Imports []engine.Import
	Exports []engine.Export
	// Reexports has, for each export, the index of the import that it hands
	// on, or -1 for something of the module's own.
	Reexports []int
	// Memories and Tables are the module's own, exported or not.
	Memories, Tables []engine.ExternType
}

// Export finds an export by name; i is its index, or -1.
func (s *Signature) Export(name string) (i int) {
	for i := range s.Exports {
		if s.Exports[i].Name == name {
			return i
		}
	}
	return -1
}

// errBad is the one error of the parser; where it stopped is added around it.
var errBad = errors.New("the section ends early or holds an unknown encoding")
