//go:build linux

package preview1

import (
	"encoding/binary"
	"math"

	"golang.org/x/sys/unix"
	"wherry/internal/wasi/host"
)

// get gives a descriptor that has the rights.
func (h *Host) get(fd uint32, rights uint64) (*desc, errno) {
	d := h.table.get(fd)
	if d == nil {
		return nil, errBadf
	}
	return d, d.need(rights)
}

// fdClose: (fd).
func (h *Host) fdClose(_ memory, a args) errno {
	d := h.table.get(a.u32(0))
	if d == nil {
		return errBadf
	}
	h.table.remove(a.u32(0))
	h.listings.forget(d)
	return toErrno(d.close())
}

// fdRenumber: (from, to). Both are open; to is closed.
func (h *Host) fdRenumber(_ memory, a args) errno {
	from, to := a.u32(0), a.u32(1)
	d, old := h.table.get(from), h.table.get(to)
	if d == nil || old == nil {
		return errBadf
	}
	if from == to {
		return ok
	}
	h.table.remove(from)
	h.table.slots[to] = d
	h.listings.forget(old)
	return toErrno(old.close())
}

// fdFdstatGet: (fd, *fdstat).
func (h *Host) fdFdstatGet(m memory, a args) errno {
	d := h.table.get(a.u32(0))
	if d == nil {
		return errBadf
	}
	b, inside := m.bytes(a.u32(1), 24)
	if !inside {
		return errFault
	}
	d.decide()
	clear(b)
	b[0] = byte(d.filetype())
	binary.LittleEndian.PutUint16(b[2:], d.flags)
	binary.LittleEndian.PutUint64(b[8:], d.rights)
	binary.LittleEndian.PutUint64(b[16:], d.inheriting)
	return ok
}

// fdFdstatSetFlags: (fd, flags). As on Linux the synchronising flags cannot be
// changed once a file is open.
func (h *Host) fdFdstatSetFlags(_ memory, a args) errno {
	d, e := h.get(a.u32(0), rightFdFdstatSetFlags)
	if e != ok {
		return e
	}
	if a.u32(1)&^uint32(flagsAll) != 0 {
		return errInval
	}
	flags := uint16(a.u32(1))
	if (flags^d.flags)&(flagDSync|flagRSync|flagSync) != 0 {
		return errNotsup
	}
	switch {
	case d.stream != nil:
		d.stream.NonBlock = flags&flagNonBlock != 0
	case d.sock != nil:
		d.sock.NonBlock = flags&flagNonBlock != 0
	case d.file != nil:
		if err := setAppend(d.file.FD(), flags&flagAppend != 0); err != nil {
			return toErrno(err)
		}
	}
	d.flags, d.undecided = flags, false
	return ok
}

// setAppend changes O_APPEND of a file that Wherry itself has opened.
func setAppend(fd int, on bool) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return err
	}
	flags &^= unix.O_APPEND
	if on {
		flags |= unix.O_APPEND
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags)
	return err
}

// fdFdstatSetRights: (fd, base, inheriting). Rights can only be given up.
func (h *Host) fdFdstatSetRights(_ memory, a args) errno {
	d := h.table.get(a.u32(0))
	if d == nil {
		return errBadf
	}
	base, inheriting := a.u64(1), a.u64(2)
	if base&^d.rights != 0 || inheriting&^d.inheriting != 0 {
		return errNotcapable
	}
	d.rights, d.inheriting = base, inheriting
	return ok
}

// fdSync: (fd).
func (h *Host) fdSync(_ memory, a args) errno { return h.sync(a.u32(0), rightFdSync, false) }

// fdDatasync: (fd).
func (h *Host) fdDatasync(_ memory, a args) errno { return h.sync(a.u32(0), rightFdDatasync, true) }

func (h *Host) sync(fd uint32, right uint64, dataOnly bool) errno {
	d, e := h.get(fd, right)
	switch {
	case e != ok:
		return e
	case d.file != nil:
		return toErrno(d.file.Sync(dataOnly))
	case d.dir != nil:
		return toErrno(d.dir.Sync(dataOnly))
	case d.stream != nil && dataOnly:
		return toErrno(unix.Fdatasync(d.stream.FD()))
	case d.stream != nil:
		return toErrno(unix.Fsync(d.stream.FD()))
	}
	return errInval
}

// advices are WASI's advices (typenames.witx, advice) in Linux's numbers.
var advices = [...]int{unix.FADV_NORMAL, unix.FADV_SEQUENTIAL, unix.FADV_RANDOM, unix.FADV_WILLNEED, unix.FADV_DONTNEED, unix.FADV_NOREUSE}

// fdAdvise: (fd, offset, len, advice).
func (h *Host) fdAdvise(_ memory, a args) errno {
	d, e := h.get(a.u32(0), rightFdAdvise)
	if e != ok {
		return e
	}
	if uint64(a.u32(3)) >= uint64(len(advices)) || a.u64(1) > math.MaxInt64 || a.u64(2) > math.MaxInt64 {
		return errInval
	}
	switch {
	case d.file != nil:
		return toErrno(unix.Fadvise(d.file.FD(), int64(a.u64(1)), int64(a.u64(2)), advices[a.u32(3)]))
	case d.stream != nil:
		return toErrno(unix.Fadvise(d.stream.FD(), int64(a.u64(1)), int64(a.u64(2)), advices[a.u32(3)]))
	case d.dir != nil:
		return ok // advice may be ignored
	}
	return errSpipe
}

// fdAllocate: (fd, offset, len).
func (h *Host) fdAllocate(_ memory, a args) errno {
	d, e := h.get(a.u32(0), rightFdAllocate)
	if e != ok {
		return e
	}
	offset, size := a.u64(1), a.u64(2)
	if d.file == nil || size == 0 || offset > math.MaxInt64 || size > math.MaxInt64-offset {
		return errInval
	}
	if err := d.file.Room(int64(offset + size)); err != nil {
		return toErrno(err)
	}
	for {
		err := unix.Fallocate(d.file.FD(), 0, int64(offset), int64(size))
		if err != unix.EINTR {
			return toErrno(err)
		}
	}
}

// fdSeek: (fd, offset, whence, *position).
func (h *Host) fdSeek(m memory, a args) errno {
	whence := a.u32(2)
	right := rightFdSeek
	if whence == unix.SEEK_CUR && a.u64(1) == 0 {
		right = rightFdTell
	}
	d, e := h.get(a.u32(0), right)
	if e != ok {
		return e
	}
	if whence > unix.SEEK_END {
		return errInval
	}
	return d.seek(m, int64(a.u64(1)), int(whence), a.u32(3))
}

// fdTell: (fd, *position).
func (h *Host) fdTell(m memory, a args) errno {
	d, e := h.get(a.u32(0), rightFdTell)
	if e != ok {
		return e
	}
	return d.seek(m, 0, unix.SEEK_CUR, a.u32(1))
}

// seek moves a descriptor's position, and writes it to the guest's memory.
func (d *desc) seek(m memory, offset int64, whence int, result uint32) errno {
	if _, inside := m.bytes(result, 8); !inside {
		return errFault
	}
	fd := -1
	switch {
	case d.file != nil:
		fd = d.file.FD()
	case d.stream != nil && (d.stream.Kind() == host.StreamFile || d.stream.Kind() == host.StreamDevice):
		fd = d.stream.FD()
	default:
		return errSpipe
	}
	position, err := unix.Seek(fd, offset, whence)
	if err != nil {
		return toErrno(err)
	}
	return m.putU64(result, uint64(position))
}
