package module

import (
	"errors"
	"io"
	"unicode/utf8"
)

// Bounds on what is kept in memory, generous beside real modules (the
// JavaScript API's implementation limits, which engines share, are of this
// order) and small beside a machine.
const (
	// maxNamed bounds the sections that are read: imports, exports, producers.
	// Bytes.
	maxNamed = 16 << 20
	// maxItems bounds the entries of one such section.
	maxItems = 100_000
	// maxName bounds one name. Bytes.
	maxName = 100_000
	// maxCustom bounds how many custom sections' names are kept.
	maxCustom = 1_000
	// maxSections bounds the sections of a binary; custom sections may repeat
	// without end.
	maxSections = 100_000
)

// reader reads a range of a binary through a small window.
type reader struct {
	src io.ReaderAt
	// off is the next byte to read, end the first beyond the range. Bytes from
	// the start of the binary.
	off, end int64
	buf      []byte
	bufOff   int64
}

// newReader reads src between off and end.
func newReader(src io.ReaderAt, off, end int64) *reader {
	return &reader{src: src, off: off, end: end}
}

func (r *reader) left() int64 { return r.end - r.off }

// fill makes the byte at r.off available in the window.
func (r *reader) fill(what string) error {
	if r.off >= r.end {
		return truncated(r.off, what)
	}
	if r.off >= r.bufOff && r.off < r.bufOff+int64(len(r.buf)) {
		return nil
	}
	if cap(r.buf) == 0 {
		r.buf = make([]byte, 0, 4096)
	}
	n := min(int64(cap(r.buf)), r.left())
	got, err := r.src.ReadAt(r.buf[:n], r.off)
	r.buf, r.bufOff = r.buf[:got], r.off
	if got > 0 {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return truncated(r.off, what)
	}
	return err
}

// byte reads one byte.
func (r *reader) byte(what string) (byte, error) {
	if err := r.fill(what); err != nil {
		return 0, err
	}
	b := r.buf[r.off-r.bufOff]
	r.off++
	return b, nil
}

// uint reads an unsigned LEB128 number of at most bits bits
// (Core Specification 5.2.2).
func (r *reader) uint(bits uint, what string) (uint64, error) {
	start := r.off
	var v uint64
	for shift := uint(0); ; shift += 7 {
		b, err := r.byte(what)
		if err != nil {
			return 0, err
		}
		if left := bits - shift; left < 7 && uint64(b&0x7f)>>left != 0 {
			return 0, malformed(start, "%s does not fit in %d bits", what, bits)
		}
		v |= uint64(b&0x7f) << shift
		if b&0x80 == 0 {
			return v, nil
		}
		if shift+7 >= bits {
			return 0, malformed(start, "%s is longer than %d bits", what, bits)
		}
	}
}

// u32 reads an index, a size or a count.
func (r *reader) u32(what string) (uint32, error) {
	v, err := r.uint(32, what)
	return uint32(v), err
}

// skipInt skips a signed LEB128 number of at most 33 bits, as heap types and
// the component model's value types are.
func (r *reader) skipInt(what string) error {
	start := r.off
	for range 5 {
		b, err := r.byte(what)
		if err != nil {
			return err
		}
		if b&0x80 == 0 {
			return nil
		}
	}
	return malformed(start, "%s is longer than 33 bits", what)
}

// count reads the length of a vector, which can't exceed the bytes left.
func (r *reader) count(what string) (int, error) {
	start := r.off
	n, err := r.u32(what)
	if err != nil {
		return 0, err
	}
	if int64(n) > r.left() {
		return 0, malformed(start, "%s of %d in %d bytes", what, n, r.left())
	}
	if n > maxItems {
		return 0, malformed(start, "%s of %d, more than the %d that Wherry takes", what, n, maxItems)
	}
	return int(n), nil
}

// name reads a name: a length and that many bytes of UTF-8.
func (r *reader) name(what string) (string, error) {
	start := r.off
	n, err := r.u32(what)
	if err != nil {
		return "", err
	}
	if int64(n) > r.left() {
		return "", truncated(start, what)
	}
	if n > maxName {
		return "", malformed(start, "%s of %d bytes, more than the %d that Wherry takes", what, n, maxName)
	}
	b := make([]byte, n)
	for read := 0; read < len(b); {
		if err := r.fill(what); err != nil {
			return "", err
		}
		c := copy(b[read:], r.buf[r.off-r.bufOff:])
		read += c
		r.off += int64(c)
	}
	if !utf8.Valid(b) {
		return "", malformed(start, "%s is not UTF-8", what)
	}
	return string(b), nil
}
