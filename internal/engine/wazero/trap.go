package wazero

import (
	"errors"
	"strings"

	"wherry/internal/engine"
)

// trapTexts are wazero's errors (internal/wasmruntime/errors.go). Its types
// are internal, so the words are all there is to go by.
var trapTexts = map[string]engine.TrapCode{
	"stack overflow":                engine.TrapStackOverflow,
	"invalid conversion to integer": engine.TrapBadConversion,
	"integer overflow":              engine.TrapIntegerOverflow,
	"integer divide by zero":        engine.TrapDivideByZero,
	"unreachable":                   engine.TrapUnreachable,
	"out of bounds memory access":   engine.TrapMemoryBounds,
	"invalid table access":          engine.TrapTableBounds, // or a null element: wazero has one word for both
	"indirect call type mismatch":   engine.TrapIndirectMismatch,
	"unaligned atomic":              engine.TrapUnaligned,
	"null reference":                engine.TrapNullReference,
}

// finish turns the error of a call into the contract's. The host's own error
// comes back as it was.
func (s *Store) finish(err error) error {
	text, trace, _ := strings.Cut(err.Error(), "\nwasm stack trace:\n")
	var a *abort
	if errors.As(err, &a) {
		if t, ok := a.err.(*engine.Trap); ok && t.Frames == nil {
			t.Frames = frames(trace)
		}
		return a.err
	}
	// A start function's trap has words before it, and an error that wazero
	// made ends in these.
	if i := strings.LastIndex(text, "wasm error: "); i >= 0 {
		text = text[i+len("wasm error: "):]
	}
	text = strings.TrimSuffix(text, " (recovered by wazero)")
	if code, ok := trapTexts[text]; ok {
		return &engine.Trap{Code: code, Frames: frames(trace)}
	}
	if trace == "" {
		return err // no guest was running
	}
	return &engine.Trap{Code: engine.TrapOther, Detail: text, Frames: frames(trace)}
}

// frames reads wazero's trace, a line a frame: "module.func(i32) i32", where
// a nameless function is "$7". It has no offsets.
func frames(trace string) []engine.Frame {
	trace, _, _ = strings.Cut(trace, "\n\n") // Go's own trace may follow
	var out []engine.Frame
	for line := range strings.Lines(trace) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "... ") {
			continue
		}
		out = append(out, engine.Frame{Func: funcName(line)})
	}
	return out
}

// funcName takes the name out of a frame: it ends at the last "(" that opens
// the parameters, and begins behind the module's name, which is empty for most
// compilers' output.
func funcName(line string) string {
	end := len(line)
	if strings.HasSuffix(line, ")") && strings.Contains(line, ") (") {
		end = strings.LastIndex(line, ") (") + 1 // several results
	}
	if i := strings.LastIndexByte(line[:end], '('); i >= 0 {
		end = i
	}
	name := line[:end]
	if _, after, ok := strings.Cut(name, "."); ok {
		name = after
	}
	if n, ok := strings.CutPrefix(name, "$"); ok && strings.Trim(n, "0123456789") == "" {
		return "func[" + n + "]"
	}
	return name
}
