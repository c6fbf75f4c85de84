//go:build !unix

package wazero

import "github.com/tetratelabs/wazero/experimental"

// slab is memory in a Go slice, for systems where address space is not
// reserved by mmap. It grows by half, so that many small growths stay cheap.
type slab struct {
	bytes []byte
	limit uint64
}

func reserve(limit uint64) (experimental.LinearMemory, error) { return &slab{limit: limit}, nil }

// Reallocate implements experimental.LinearMemory.
func (m *slab) Reallocate(size uint64) []byte {
	if size > m.limit {
		return nil
	}
	if size > uint64(cap(m.bytes)) {
		grown := make([]byte, size, max(size, min(m.limit, uint64(cap(m.bytes))*3/2)))
		copy(grown, m.bytes)
		m.bytes = grown
	}
	m.bytes = m.bytes[:size]
	return m.bytes
}

// Free implements experimental.LinearMemory.
func (m *slab) Free() { m.bytes = nil }
