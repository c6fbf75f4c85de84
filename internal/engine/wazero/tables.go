package wazero

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/tetratelabs/wazero"
)

// capTables bounds the tables that instances of c define to limit elements.
//
// wazero knows no bound on tables but the one that the module declares, and
// without that a guest grows one to 32 GB. The code does not depend on it, so it
// is written into the decoded module, which belongs to one runtime and so to
// one store. The fields are wazero's own (config.go, compiledModule; internal/
// wasm/table.go, Table); TestCapTables fails when a release changes them.
func capTables(c wazero.CompiledModule, limit uint64) error {
	v := reflect.ValueOf(c)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return errNoTables
	}
	module := v.Elem().FieldByName("module")
	if !module.IsValid() || module.Kind() != reflect.Pointer || module.IsNil() || module.Elem().Kind() != reflect.Struct {
		return errNoTables
	}
	tables := module.Elem().FieldByName("TableSection")
	if !tables.IsValid() || tables.Kind() != reflect.Slice {
		return errNoTables
	}
	bound := uint32(min(limit, 1<<32-1))
	for i := range tables.Len() {
		most := tables.Index(i).FieldByName("Max")
		if !most.IsValid() || most.Type() != reflect.TypeFor[*uint32]() {
			return errNoTables
		}
		field := (**uint32)(unsafe.Pointer(most.UnsafeAddr()))
		if *field == nil || **field > bound {
			*field = &bound
		}
	}
	return nil
}

var errNoTables = fmt.Errorf("this wazero is not %s: the tables of a compiled module can't be bounded", Version)
