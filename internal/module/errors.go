package module

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// What Inspect's errors wrap.
var (
	// ErrNotWasm tells that the bytes are not a WebAssembly binary at all.
	ErrNotWasm = errors.New("not a WebAssembly module")
	// ErrTruncated tells that the binary ends before what it announces.
	ErrTruncated = errors.New("truncated WebAssembly module")
	// ErrMalformed tells that the binary breaks the format.
	ErrMalformed = errors.New("malformed WebAssembly module")
)

// truncated tells what was wanted at an offset (in bytes from the start of the
// binary) beyond the end.
func truncated(off int64, what string) error {
	return fmt.Errorf("%w: %s at offset %#x; the file is incomplete: build or copy it again", ErrTruncated, what, off)
}

// malformed tells what is wrong at an offset in bytes.
func malformed(off int64, format string, args ...any) error {
	return fmt.Errorf("%w: %s at offset %#x", ErrMalformed, fmt.Sprintf(format, args...), off)
}

// notWasm tells what the bytes look like instead.
func notWasm(head []byte, size int64) error {
	return fmt.Errorf("%w: it is %s; %s", ErrNotWasm, Describe(head, size), target)
}

type magic struct{ magic, what string }

// magics are beginnings of files that users take for modules, longest first
// where one is a prefix of another.
var magics = []magic{
	{"\x7fELF", "an ELF file (a native Linux program or library)"},
	{"\xcf\xfa\xed\xfe", "a Mach-O file (a native macOS program)"},
	{"\xca\xfe\xba\xbe", "a Java class or a universal Mach-O file"},
	{"MZ", "a PE file (a native Windows program)"},
	{"\x1f\x8b", "gzip data"},
	{"\x28\xb5\x2f\xfd", "zstd data"},
	{"BZh", "bzip2 data"},
	{"\xfd7zXZ\x00", "xz data"},
	{"PK\x03\x04", "a zip archive"},
	{"!<arch>\n", "an ar archive (a static library)"},
	{"BC\xc0\xde", "LLVM bitcode (link it into a module first)"},
	{"#!", "a script"},
	{"version https://git-lfs", "a Git LFS pointer (run git lfs pull)"},
}

// Describe says in a few words what a file that is no module looks like, from
// its first bytes (512 are enough) and its whole size in bytes.
func Describe(head []byte, size int64) string {
	if size == 0 {
		return "an empty file"
	}
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.what
		}
	}
	if len(head) >= 262 && string(head[257:262]) == "ustar" {
		return "a tar archive"
	}
	if bytes.HasPrefix([]byte("\x00asm\x01\x00\x00\x00"), head) {
		return fmt.Sprintf("only the first %d bytes of a header", size)
	}
	trimmed := bytes.TrimLeft(head, " \t\r\n")
	switch {
	case isSource(trimmed):
		return "WebAssembly text (.wat)"
	case bytes.HasPrefix(trimmed, []byte("<")):
		return "HTML or XML (an error page saved as a file?)"
	case isText(head):
		return "text"
	}
	return fmt.Sprintf("data beginning with % x", head[:min(len(head), 4)])
}

// IsText reports whether a file is a module in the text format (.wat), from its
// name and its first bytes (512 are enough). A file of that name is one unless
// its bytes are no text.
func IsText(name string, head []byte) bool {
	if isSource(bytes.TrimLeft(head, " \t\r\n")) {
		return true
	}
	if !strings.HasSuffix(name, ".wat") || len(head) == 0 || !isText(head) {
		return false
	}
	return !slices.ContainsFunc(magics, func(m magic) bool { return bytes.HasPrefix(head, []byte(m.magic)) })
}

// isSource recognises how modules in the text format begin.
func isSource(head []byte) bool {
	for _, begin := range []string{"(module", "(component", ";;", "(;"} {
		if bytes.HasPrefix(head, []byte(begin)) {
			return true
		}
	}
	return false
}

// isText reports whether b is UTF-8 without control characters, forgiving a
// rune cut at the end.
func isText(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return !utf8.FullRune(b)
		}
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' && r != 0x1b {
			return false
		}
		b = b[n:]
	}
	return true
}
