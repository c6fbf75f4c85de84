//go:build linux

package preview1

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
	"wherry/internal/wasi/host"
)

// memory is a view of the guest's memory that checks every access. A view is
// valid for one call: the memory moves when it grows.
type memory []byte

// bytes is memory[ptr:ptr+n], or ok false where that is not all inside.
func (m memory) bytes(ptr, n uint32) (b []byte, ok bool) {
	if uint64(ptr)+uint64(n) > uint64(len(m)) {
		return nil, false
	}
	return m[ptr : uint64(ptr)+uint64(n) : uint64(ptr)+uint64(n)], true
}

// array is a list of count elements of size bytes each.
func (m memory) array(ptr, count, size uint32) (b []byte, ok bool) {
	n := uint64(count) * uint64(size)
	if uint64(ptr)+n > uint64(len(m)) {
		return nil, false
	}
	return m[ptr : uint64(ptr)+n], true
}

// u32 reads a number, ok false where it is outside.
func (m memory) u32(ptr uint32) (v uint32, ok bool) {
	b, ok := m.bytes(ptr, 4)
	if !ok {
		return 0, false
	}
	return binary.LittleEndian.Uint32(b), true
}

// putU16, putU32 and putU64 write a result, or say that it is outside.
func (m memory) putU16(ptr uint32, v uint16) errno {
	b, inside := m.bytes(ptr, 2)
	if !inside {
		return errFault
	}
	binary.LittleEndian.PutUint16(b, v)
	return ok
}

func (m memory) putU32(ptr, v uint32) errno {
	b, inside := m.bytes(ptr, 4)
	if !inside {
		return errFault
	}
	binary.LittleEndian.PutUint32(b, v)
	return ok
}

func (m memory) putU64(ptr uint32, v uint64) errno {
	b, inside := m.bytes(ptr, 8)
	if !inside {
		return errFault
	}
	binary.LittleEndian.PutUint64(b, v)
	return ok
}

// iovecs turns a guest's list of buffers into one for the kernel, pointing
// straight into the guest's memory. It uses into, and drops empty buffers. More
// buffers than the kernel takes, or more bytes than a result can tell, are
// errInval.
func (m memory) iovecs(into []unix.Iovec, ptr, count uint32) ([]unix.Iovec, errno) {
	if count > host.MaxIovecs {
		return nil, errInval
	}
	list, inside := m.array(ptr, count, 8)
	if !inside {
		return nil, errFault
	}
	into = into[:0]
	total := uint64(0)
	for ; len(list) > 0; list = list[8:] {
		b, inside := m.bytes(binary.LittleEndian.Uint32(list), binary.LittleEndian.Uint32(list[4:]))
		if !inside {
			return nil, errFault
		}
		if len(b) == 0 {
			continue
		}
		if total += uint64(len(b)); total > 1<<32-1 {
			return nil, errInval
		}
		v := unix.Iovec{Base: &b[0]}
		v.SetLen(len(b))
		into = append(into, v)
	}
	return into, ok
}
