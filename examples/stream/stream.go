// Package stream is the deterministic stream of bytes that the example servers
// send at /bytes/N, for those who check what arrives. It must know nothing of
// servers.
package stream

import (
	"encoding/binary"
	"io"
)

// word is output k of SplitMix64 seeded with 0.
func word(k uint64) uint64 {
	z := (k + 1) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// New reads the stream's first n bytes: word 0, word 1 and so on, each as 8
// bytes, little-endian.
func New(n uint64) io.Reader { return &reader{left: n} }

type reader struct {
	next, left uint64
	rest       []byte
	buf        [8]byte
}

func (r *reader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(uint64(len(p)), r.left)]
	n := 0
	for n < len(p) {
		if len(r.rest) == 0 && len(p)-n >= 8 {
			binary.LittleEndian.PutUint64(p[n:], word(r.next))
			r.next++
			n += 8
			continue
		}
		if len(r.rest) == 0 {
			binary.LittleEndian.PutUint64(r.buf[:], word(r.next))
			r.next++
			r.rest = r.buf[:]
		}
		m := copy(p[n:], r.rest)
		r.rest = r.rest[m:]
		n += m
	}
	r.left -= uint64(n)
	return n, nil
}
