//go:build cgo && linux && (amd64 || arm64)

package wasmtime

// #include "glue.h"
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"wherry/internal/engine"
)

var errClosed = errors.New("wasmtime: the engine, module or store is closed")

// vecBytes is a view of a byte vector, valid until the vector is deleted.
func vecBytes(v *C.wasm_byte_vec_t) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v.data)), int(v.size))
}

// takeError turns a wasmtime_error_t into a Go error and frees it; NULL is nil.
func takeError(p *C.wasmtime_error_t) error {
	if p == nil {
		return nil
	}
	defer C.wasmtime_error_delete(p)
	return errors.New(errorText(p))
}

func errorText(p *C.wasmtime_error_t) string {
	var v C.wasm_byte_vec_t
	C.wasmtime_error_message(p, &v)
	defer C.wasm_byte_vec_delete(&v)
	return oneLine(string(vecBytes(&v)))
}

// oneLine folds wasmtime's message, which has its causes as a numbered list
// and may have a backtrace among them, into one line: the message and its
// causes, outermost first.
func oneLine(text string) string {
	var parts []string
	backtrace := false
	for line := range strings.Lines(strings.TrimRight(text, "\x00")) {
		line = strings.TrimSpace(line)
		if number, cause, ok := strings.Cut(line, ": "); ok && !backtrace && strings.Trim(number, "0123456789") == "" {
			line = strings.TrimSpace(cause)
		}
		switch {
		case strings.HasPrefix(line, "error while executing at wasm backtrace"):
			backtrace = true
		case line == "" || line == "Caused by:":
			backtrace = false
		case !backtrace:
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, ": ")
}

// placed takes the place in the text format out of the drawing that the parser
// makes of it, folded into one line: "what: --> <anon>:2:27: |: …".
func placed(text string) string {
	what, drawing, ok := strings.Cut(text, ": --> <anon>:")
	place, _, more := strings.Cut(drawing, ": ")
	line, column, two := strings.Cut(place, ":")
	if !ok || !more || !two {
		return text
	}
	return fmt.Sprintf("line %s, column %s: %s", line, column, what)
}

// trapCodes are wasmtime's codes (wasmtime/trap.h) that have a name of ours.
var trapCodes = map[C.uint8_t]engine.TrapCode{
	0:  engine.TrapStackOverflow,
	1:  engine.TrapMemoryBounds,
	2:  engine.TrapUnaligned,
	3:  engine.TrapTableBounds,
	4:  engine.TrapIndirectNull,
	5:  engine.TrapIndirectMismatch,
	6:  engine.TrapIntegerOverflow,
	7:  engine.TrapDivideByZero,
	8:  engine.TrapBadConversion,
	9:  engine.TrapUnreachable,
	13: engine.TrapNullReference,
}
