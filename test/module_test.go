package test

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// module describes a small module in either format: it imports functions
// ("module.name") and exports one under some names, all of them () -> ().
type module struct {
	imports, exports []string
	// body is what the function does, in binary.
	body string
	// data, where set, goes into an exported memory.
	data string
}

// binary is the module in the binary format (Core Specification, chapter 5).
func (m module) binary() []byte {
	var imports, exports []string
	for _, im := range m.imports {
		mod, name, _ := strings.Cut(im, ".")
		imports = append(imports, named(mod)+named(name)+"\x00\x00")
	}
	for _, name := range m.exports {
		exports = append(exports, named(name)+"\x00"+number(len(m.imports)))
	}
	sections := section(1, list("\x60\x00\x00")) + section(2, list(imports...)) + section(3, list("\x00"))
	if m.data != "" {
		sections += section(5, list("\x00\x01"))
		exports = append(exports, named("memory")+"\x02\x00")
	}
	sections += section(7, list(exports...)) + section(10, list(named("\x00"+m.body+"\x0b")))
	if m.data != "" {
		sections += section(11, list("\x00\x41\x00\x0b"+named(m.data)))
	}
	return []byte("\x00asm\x01\x00\x00\x00" + sections)
}

// text is the module in the text format, without body and data.
func (m module) text() string {
	var b strings.Builder
	b.WriteString("(module")
	for _, im := range m.imports {
		mod, name, _ := strings.Cut(im, ".")
		fmt.Fprintf(&b, "\n  (import %q %q (func))", mod, name)
	}
	b.WriteString("\n  (func")
	for _, name := range m.exports {
		fmt.Fprintf(&b, " (export %q)", name)
	}
	b.WriteString("))\n")
	return b.String()
}

// greeter is a module that prints a line and ends with a code.
func greeter(line string, code byte) []byte {
	// iovec {16, len} at 0, the text at 16.
	data := binary.LittleEndian.AppendUint32([]byte{16, 0, 0, 0}, uint32(len(line)))
	data = append(append(data, make([]byte, 8)...), line...)
	types := list("\x60\x00\x00", "\x60\x04\x7f\x7f\x7f\x7f\x01\x7f", "\x60\x01\x7f\x00")
	const p1 = "wasi_snapshot_preview1"
	imports := list(named(p1)+named("fd_write")+"\x00\x01", named(p1)+named("proc_exit")+"\x00\x02")
	exports := list(named("_start")+"\x00\x02", named("memory")+"\x02\x00")
	// fd_write(1, 0, 1, 8); drop; proc_exit(code)
	body := "\x00\x41\x01\x41\x00\x41\x01\x41\x08\x10\x00\x1a\x41" + string(signed(int(code))) + "\x10\x01\x0b"
	return []byte("\x00asm\x01\x00\x00\x00" + section(1, types) + section(2, imports) + section(3, list("\x00")) +
		section(5, list("\x00\x01")) + section(7, exports) + section(10, list(named(body))) + section(11, list("\x00\x41\x00\x0b"+named(string(data)))))
}

// component is a component that imports and exports instances (Component
// Model, Binary.md).
func component(imports []string, exports ...string) []byte {
	var im, ex []string
	for _, name := range imports {
		im = append(im, "\x00"+named(name)+"\x05\x00")
	}
	for _, name := range exports {
		ex = append(ex, "\x00"+named(name)+"\x05\x00\x00")
	}
	return []byte("\x00asm\x0d\x00\x01\x00" + section(10, list(im...)) + section(11, list(ex...)))
}

// number is an unsigned LEB128.
func number(n int) string { return string(binary.AppendUvarint(nil, uint64(n))) }

// signed is a signed LEB128 of a small number that is not negative.
func signed(n int) []byte {
	if n < 64 {
		return []byte{byte(n)}
	}
	return []byte{byte(n&0x7f) | 0x80, byte(n >> 7)}
}

func named(s string) string { return number(len(s)) + s }

func list(items ...string) string {
	return number(len(items)) + strings.Join(items, "")
}

func section(id byte, body string) string { return string(rune(id)) + named(body) }
