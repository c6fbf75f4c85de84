//go:build linux

package preview1

import "encoding/binary"

func (h *Host) argsGet(m memory, a args) errno { return h.args.get(m, a.u32(0), a.u32(1)) }

func (h *Host) argsSizesGet(m memory, a args) errno { return h.args.sizes(m, a.u32(0), a.u32(1)) }

func (h *Host) environGet(m memory, a args) errno { return h.env.get(m, a.u32(0), a.u32(1)) }

func (h *Host) environSizesGet(m memory, a args) errno { return h.env.sizes(m, a.u32(0), a.u32(1)) }

// get writes the strings at data, and a pointer to each at pointers.
func (s *stringList) get(m memory, pointers, data uint32) errno {
	to, inside := m.bytes(data, uint32(len(s.data)))
	if !inside {
		return errFault
	}
	list, inside := m.array(pointers, uint32(len(s.offsets)), 4)
	if !inside {
		return errFault
	}
	copy(to, s.data)
	for i, offset := range s.offsets {
		binary.LittleEndian.PutUint32(list[4*i:], data+offset)
	}
	return ok
}

// sizes writes how many strings there are and how many bytes they take.
func (s *stringList) sizes(m memory, count, size uint32) errno {
	if e := m.putU32(count, uint32(len(s.offsets))); e != ok {
		return e
	}
	return m.putU32(size, uint32(len(s.data)))
}
