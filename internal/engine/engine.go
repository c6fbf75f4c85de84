// Package engine is the small surface that every core WebAssembly engine of
// Wherry offers: compile a module or load its compiled code, instantiate it
// with host functions, call it, reach its memory.
//
// It knows nothing of WASI, of images or of containers, and nothing of a
// particular engine: implementations live in the packages below it and are
// chosen by name in package engines.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ValueType is a WebAssembly value type in its binary encoding
// (Core Specification 5.3.1–5.3.4).
type ValueType byte

// The value types that imports and exports may use.
const (
	I32       ValueType = 0x7f
	I64       ValueType = 0x7e
	F32       ValueType = 0x7d
	F64       ValueType = 0x7c
	V128      ValueType = 0x7b
	FuncRef   ValueType = 0x70
	ExternRef ValueType = 0x6f
)

// Slots is the number of u64 slots that a value of this type takes in a
// parameter or result list: 2 for v128, 1 for the rest.
func (t ValueType) Slots() int {
	if t == V128 {
		return 2
	}
	return 1
}

// String gives the name of the type in the text format.
func (t ValueType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	}
	if t >= 0x63 && t <= 0x74 {
		return "ref" // the references of later proposals, which no host function takes
	}
	return fmt.Sprintf("valuetype(%#x)", byte(t))
}

// Slots is the number of u64 slots that a list of values takes.
func Slots(ts []ValueType) int {
	n := 0
	for _, t := range ts {
		n += t.Slots()
	}
	return n
}

// FuncType is the type of a function.
type FuncType struct {
	Params, Results []ValueType
}

// Equal reports whether two function types are the same.
func (t FuncType) Equal(u FuncType) bool {
	return string(valueBytes(t.Params)) == string(valueBytes(u.Params)) &&
		string(valueBytes(t.Results)) == string(valueBytes(u.Results))
}

// CheckParams tells what is wrong with the parameters of a call from the host:
// their number, or a reference that is not null. The host has no references to
// give, and a made-up one would be a pointer that an engine follows.
func (t FuncType) CheckParams(name string, params []uint64) error {
	if want := Slots(t.Params); len(params) != want {
		return fmt.Errorf("call of %q: got %d parameter slots, want %d for %s", name, len(params), want, t)
	}
	for _, v := range t.Params {
		switch v {
		case I32, I64, F32, F64, V128:
		default:
			if params[0] != 0 {
				return fmt.Errorf("call of %q: only a null %s can be passed", name, v)
			}
		}
		params = params[v.Slots():]
	}
	return nil
}

func valueBytes(ts []ValueType) []byte {
	b := make([]byte, len(ts))
	for i, t := range ts {
		b[i] = byte(t)
	}
	return b
}

// String writes the type as in error messages: (i32, i64) -> (i32).
func (t FuncType) String() string {
	list := func(ts []ValueType) string {
		s := make([]string, len(ts))
		for i, t := range ts {
			s[i] = t.String()
		}
		return "(" + strings.Join(s, ", ") + ")"
	}
	return list(t.Params) + " -> " + list(t.Results)
}

// ExternKind is the kind of an import or export, in its binary encoding
// (Core Specification 5.5.5).
type ExternKind byte

// The kinds of imports and exports.
const (
	KindFunc   ExternKind = 0
	KindTable  ExternKind = 1
	KindMemory ExternKind = 2
	KindGlobal ExternKind = 3
	KindTag    ExternKind = 4
)

// String gives the kind's name in the text format.
func (k ExternKind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("extern(%d)", byte(k))
}

var kindNames = [...]string{"func", "table", "memory", "global", "tag"}

// ExternType is the type of an import or an export. Kind says which of the
// other fields count.
type ExternType struct {
	Kind ExternKind
	// Func is the type of a KindFunc.
	Func FuncType
	// Value is the element type of a KindTable or the content of a KindGlobal.
	Value ValueType
	// Mutable belongs to a KindGlobal.
	Mutable bool
	// Min and Max bound a KindTable (elements) or a KindMemory (64 KiB pages).
	Min, Max uint64
	// HasMax tells whether Max was declared.
	HasMax bool
}

// Import is one import that a module declares.
type Import struct {
	Module, Name string
	Type         ExternType
}

// Export is one export that a module declares.
type Export struct {
	Name string
	Type ExternType
}

// Caller is what a host function learns of the instance that imported it: the
// one that calls it, or that passed it on in a table. It is valid until the
// host function returns.
type Caller interface {
	// Memory is the caller's exported memory named "memory": a view of the
	// guest's bytes that is valid until the guest runs again or the memory
	// grows. It is nil where the instance exports none. Every offset a guest
	// names must be checked against its length.
	Memory() []byte
}

// HostFunc is a function of the host that guests can import. Params arrive in
// stack[:n], one u64 slot a value (v128 two; i32 and f32 in the low 32 bits,
// floats as bits, the rest of a slot zero); results are written to stack from
// index 0. References are opaque: 0 is null, and another may only be given back
// in the same call.
//
// An error ends the guest's call at once, from any depth: Instance.Call
// returns an error for which errors.Is and errors.As find it. A panic ends it
// as a *Trap with Code TrapHost.
type HostFunc struct {
	Type FuncType
	Call func(c Caller, stack []uint64) error
}

// Extern is something that an instance can import: a *HostFunc, or a function,
// memory, table or global that Instance.Extern took from another instance of
// the same Store.
type Extern any

// Resolver answers an import. ok is false where nothing is known under that
// name; Instantiate then fails with an *ImportError.
type Resolver func(Import) (x Extern, ok bool)

// Engine compiles modules. It is safe for concurrent use.
type Engine interface {
	// Name is the engine's name as users write it, such as "wasmtime".
	Name() string
	// Fingerprint names all that compiled code depends on beside the module:
	// engine, version, configuration and CPU features. It is printable, has no
	// path separator and is stable between processes on one machine.
	Fingerprint() string
	// Compile compiles a module in the binary format. A module that is not
	// valid gives an error that says where.
	Compile(ctx context.Context, wasm []byte) (Module, error)
	// Load takes compiled code from a file that this host wrote with
	// Module.Serialize, mapped where the engine can. The file must be trusted:
	// it holds native code. wasm gives the module's own bytes, for engines
	// that need them too (wazero); it is called at most once.
	Load(path string, wasm func() ([]byte, error)) (Module, error)
	// NewStore makes a world for instances that may share what they export.
	NewStore(Limits) (Store, error)
	// Close releases the engine. Nothing made by it may be used afterwards.
	Close() error
}

// Limits bound what the instances of a store may take. Zero means the bound
// that WithDefaults gives.
type Limits struct {
	// MemoryBytes bounds an instance's linear memories together: each may have
	// an equal share, nearly always all of it. memory.grow beyond it answers
	// -1. What a garbage collector keeps of the guest's has as much again.
	MemoryBytes uint64
	// TableElements bounds an instance's tables in the same way; table.grow
	// beyond it answers -1. An element takes 8 bytes.
	TableElements uint64
	// StackBytes bounds the guest's stack. Zero is 1 MiB.
	StackBytes uint64
}

const (
	// maxElements bounds tables where nothing else does. Browsers bound them to
	// the same (WebAssembly JavaScript Interface, "Implementation-defined
	// Limits").
	maxElements = 10_000_000
	// minElements are given however small the memory is: large programs have
	// some 30,000.
	minElements = 64 << 10
)

// WithDefaults gives bounds to what has none: tables may have ten million
// elements, and under a limit on memory a quarter of that memory's size.
func (l Limits) WithDefaults() Limits {
	if l.TableElements == 0 {
		l.TableElements = maxElements
		if l.MemoryBytes != 0 {
			l.TableElements = min(maxElements, max(minElements, l.MemoryBytes/4/8))
		}
	}
	return l
}

// Module is compiled code. It is safe for concurrent use.
type Module interface {
	Imports() []Import
	Exports() []Export
	// Serialize writes the compiled code in a form that Load takes, to
	// a file that only the host can write.
	Serialize(w io.Writer) error
	Close() error
}

// Store holds instances. A store, and all in it, is used by one goroutine at a
// time.
type Store interface {
	// Instantiate links a module and runs its start function. Imports that
	// cannot be met give an *ImportError before anything of the guest runs.
	Instantiate(ctx context.Context, m Module, resolve Resolver) (Instance, error)
	Close() error
}

// Instance is a module that can be called.
type Instance interface {
	// Call calls an exported function. Params and results are slots as in
	// HostFunc. A guest that traps gives a *Trap.
	Call(ctx context.Context, name string, params ...uint64) ([]uint64, error)
	// Memory is an exported memory's bytes, valid until the guest runs again;
	// nil where there is no such memory.
	Memory(name string) []byte
	// Extern gives an export for other instances of the same store to import;
	// nil where there is none of that name.
	Extern(name string) Extern
}

// TrapCode is why a guest was stopped.
type TrapCode string

// The reasons for a trap. Engines map their own codes to these; TrapOther is
// for what has no name here.
const (
	TrapUnreachable      TrapCode = "unreachable instruction executed"
	TrapMemoryBounds     TrapCode = "out of bounds memory access"
	TrapTableBounds      TrapCode = "out of bounds table access"
	TrapIndirectNull     TrapCode = "call of a null table element"
	TrapIndirectMismatch TrapCode = "indirect call of a function of another type"
	TrapIntegerOverflow  TrapCode = "integer overflow"
	TrapDivideByZero     TrapCode = "integer divide by zero"
	TrapBadConversion    TrapCode = "invalid conversion to integer"
	TrapStackOverflow    TrapCode = "call stack exhausted"
	TrapUnaligned        TrapCode = "unaligned atomic access"
	TrapNullReference    TrapCode = "null reference"
	TrapHost             TrapCode = "host function panicked"
	TrapOther            TrapCode = "trap"
)

// Trap is a guest stopped by the engine.
type Trap struct {
	Code TrapCode
	// Detail is what the engine added in words, if anything.
	Detail string
	// Frames is the guest's backtrace, innermost first.
	Frames []Frame
}

// Frame is a guest function in a backtrace.
type Frame struct {
	// Func is the function's name, from the name section or "func[12]".
	Func string
	// Offset is the place in the module's bytes, 0 where unknown.
	Offset uint64
}

// Error gives the reason in one line.
func (t *Trap) Error() string {
	if t.Detail == "" || t.Detail == string(t.Code) {
		return "wasm trap: " + string(t.Code)
	}
	return "wasm trap: " + string(t.Code) + ": " + t.Detail
}

// Backtrace writes the frames as lines of their own, at most 32 of them; it is
// empty where there are none.
func (t *Trap) Backtrace() string {
	var b strings.Builder
	for i, f := range t.Frames {
		if i == 32 {
			fmt.Fprintf(&b, "  … %d more\n", len(t.Frames)-i)
			break
		}
		fmt.Fprintf(&b, "  %2d: %s", i, f.Func)
		if f.Offset != 0 {
			fmt.Fprintf(&b, " (at %#x)", f.Offset)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// ImportError is an import that the host could not meet.
type ImportError struct {
	Import Import
	// Found is the type of what the host offers under that name; nil where it
	// offers nothing.
	Found *ExternType
}

// Error says which import was wanted and what was found.
func (e *ImportError) Error() string {
	name := fmt.Sprintf("%q.%q", e.Import.Module, e.Import.Name)
	if e.Found == nil {
		return fmt.Sprintf("unknown import %s: the module wants a %s, the host has nothing of that name", name, e.Import.Type)
	}
	return fmt.Sprintf("import %s has the wrong type: the module wants a %s, the host has a %s", name, e.Import.Type, *e.Found)
}

// String writes the type as in error messages.
func (t ExternType) String() string {
	switch t.Kind {
	case KindFunc:
		return "func " + t.Func.String()
	case KindGlobal:
		if t.Mutable {
			return "global mut " + t.Value.String()
		}
		return "global " + t.Value.String()
	case KindTable:
		return fmt.Sprintf("table of %s, %s", t.Value, t.bounds())
	case KindMemory:
		return fmt.Sprintf("memory of %s pages", t.bounds())
	}
	return t.Kind.String()
}

func (t ExternType) bounds() string {
	if t.HasMax {
		return fmt.Sprintf("%d to %d", t.Min, t.Max)
	}
	return fmt.Sprintf("at least %d", t.Min)
}

// Errors that engines return wrapped.
var (
	// ErrInvalidModule is a module that does not validate.
	ErrInvalidModule = errors.New("invalid module")
	// ErrIncompatible is compiled code that this engine cannot load: another
	// version, configuration or CPU, or a damaged file.
	ErrIncompatible = errors.New("compiled code does not fit this engine")
	// ErrNoExport is a call of something that the instance does not export.
	ErrNoExport = errors.New("no such export")
)
