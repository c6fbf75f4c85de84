//go:build linux

package preview1

import (
	"encoding/binary"
	"slices"

	"wherry/internal/wasi/host/tree"
)

// direntSize is the size of a dirent (typenames.witx) before its name.
const direntSize = 24

// maxListed is how many entries of directories are remembered together, beside
// those of the directory that was listed last: a guest could open a large one
// 65,536 times and read the beginning of each.
const maxListed = 1 << 16

// listings are the descriptors that remember their directories' entries, the
// one listed last at the end.
type listings struct {
	of    []*desc
	total int
}

// keep has a descriptor remember its directory, and others forget theirs where
// it gets too much. Those read their directory again at the next call: a cookie
// then counts among the entries of that time.
func (l *listings) keep(d *desc, entries []tree.Entry) {
	l.forget(d)
	for len(l.of) > 0 && l.total+len(entries) > maxListed {
		l.forget(l.of[0])
	}
	d.entries = entries
	l.of, l.total = append(l.of, d), l.total+len(entries)
}

// forget drops what a descriptor remembers.
func (l *listings) forget(d *desc) {
	if d.entries == nil {
		return
	}
	i := slices.Index(l.of, d)
	l.of = slices.Delete(l.of, i, i+1)
	l.total -= len(d.entries)
	d.entries = nil
}

// fdReaddir: (fd, buf, len, cookie, *used). A cookie is the number of entries
// before it in the directory as it was when it was last read from its start;
// changes made meanwhile show when it is read from the start again. The last
// entry is cut off where the buffer ends, which is how a guest knows that there
// is more.
func (h *Host) fdReaddir(m memory, a args) errno {
	d, e := h.dirAt(a.u32(0), rightFdReaddir)
	if e != ok {
		return e
	}
	buf, inside := m.bytes(a.u32(1), a.u32(2))
	if !inside {
		return errFault
	}
	cookie := a.u64(3)
	if cookie == 0 || d.entries == nil {
		entries, err := d.dir.Entries()
		if err != nil {
			return toErrno(err)
		}
		h.listings.keep(d, entries)
	}
	used := 0
	for i := cookie; i < uint64(len(d.entries)) && used < len(buf); i++ {
		entry := &d.entries[i]
		var head [direntSize]byte
		binary.LittleEndian.PutUint64(head[0:], i+1)
		binary.LittleEndian.PutUint64(head[8:], entry.Ino)
		binary.LittleEndian.PutUint32(head[16:], uint32(len(entry.Name)))
		head[20] = byte(entry.Type)
		used += copy(buf[used:], head[:])
		used += copy(buf[used:], entry.Name)
	}
	return m.putU32(a.u32(4), uint32(used))
}

// fdPrestatGet: (fd, *prestat).
func (h *Host) fdPrestatGet(m memory, a args) errno {
	d := h.table.get(a.u32(0))
	if d == nil || d.preopen == "" {
		return errBadf
	}
	b, inside := m.bytes(a.u32(1), 8)
	if !inside {
		return errFault
	}
	clear(b) // tag 0: a directory
	binary.LittleEndian.PutUint32(b[4:], uint32(len(d.preopen)))
	return ok
}

// fdPrestatDirName: (fd, path, len). No NUL is written behind the name.
func (h *Host) fdPrestatDirName(m memory, a args) errno {
	d := h.table.get(a.u32(0))
	if d == nil || d.preopen == "" {
		return errBadf
	}
	if uint64(a.u32(2)) < uint64(len(d.preopen)) {
		return errNametoolong
	}
	b, inside := m.bytes(a.u32(1), uint32(len(d.preopen)))
	if !inside {
		return errFault
	}
	copy(b, d.preopen)
	return ok
}
