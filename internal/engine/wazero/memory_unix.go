//go:build unix

package wazero

import (
	"golang.org/x/sys/unix"

	"github.com/tetratelabs/wazero/experimental"
)

// reservation is address space of which the first size bytes are accessible.
type reservation struct {
	space []byte
	size  int
}

func reserve(limit uint64) (experimental.LinearMemory, error) {
	if limit == 0 {
		return &reservation{}, nil
	}
	space, err := unix.Mmap(-1, 0, int(limit), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	return &reservation{space: space}, nil
}

// Reallocate implements experimental.LinearMemory: nil makes memory.grow
// answer -1. Memory never shrinks and never moves.
func (r *reservation) Reallocate(size uint64) []byte {
	if size > uint64(len(r.space)) {
		return nil
	}
	if n := int(size); n > r.size {
		if unix.Mprotect(r.space[r.size:n], unix.PROT_READ|unix.PROT_WRITE) != nil {
			return nil
		}
		r.size = n
	}
	if size == 0 {
		return []byte{}
	}
	return r.space[:size:size]
}

// Free implements experimental.LinearMemory.
func (r *reservation) Free() {
	if r.space != nil {
		_ = unix.Munmap(r.space) // fails only for an address that was never mapped
		r.space = nil
	}
}
