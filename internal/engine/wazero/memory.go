package wazero

import (
	"fmt"

	"github.com/tetratelabs/wazero/experimental"

	"wherry/internal/engine/signature"
)

const pageSize = 64 << 10

// maxMemory is one page short of 4 GiB: wazero gives a memory's size as a
// uint32, which a whole 4 GiB would wrap to 0.
const maxMemory = 1<<32 - pageSize

// allocate gives a linear memory. wazero's own grows by making a larger slice
// and copying: 512 growths of 1 MiB took 4.4 s and 2 GB. This one reserves the
// address space of all that the memory may become, and growing makes more of
// it accessible.
func (s *Store) allocate(_, declared uint64) experimental.LinearMemory {
	limit := min(declared, maxMemory)
	if s.limits.MemoryBytes != 0 {
		limit = min(limit, s.limits.MemoryBytes/pageSize*pageSize)
	}
	m, err := reserve(limit)
	if err != nil {
		panic(fmt.Sprintf("no address space for a memory of %d bytes: %v", limit, err))
	}
	s.memories = append(s.memories, m)
	return m
}

// fits is signature.Fits with the bound that holds where no limit was given.
func (s *Store) fits(sig *signature.Signature) error {
	l := s.limits
	if l.MemoryBytes == 0 || l.MemoryBytes > maxMemory {
		l.MemoryBytes = maxMemory
	}
	return sig.Fits(l)
}
