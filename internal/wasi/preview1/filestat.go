//go:build linux

package preview1

import (
	"encoding/binary"
	"math"

	"golang.org/x/sys/unix"
	"wherry/internal/wasi/host"
	"wherry/internal/wasi/host/socket"
	"wherry/internal/wasi/host/tree"
)

// Filetypes of what is no file (typenames.witx, filetype).
const (
	typeSocketDgram  tree.FileType = 5
	typeSocketStream tree.FileType = 6
)

// filetype is the kind of a descriptor.
func (d *desc) filetype() tree.FileType {
	switch {
	case d.dir != nil:
		return tree.TypeDirectory
	case d.file != nil:
		return d.file.Type()
	case d.sock != nil && d.sock.Type() == socket.Datagram:
		return typeSocketDgram
	case d.sock != nil:
		return typeSocketStream
	}
	switch d.stream.Kind() {
	case host.StreamTerminal, host.StreamDevice:
		return tree.TypeCharacterDevice
	case host.StreamFile:
		return tree.TypeRegular
	case host.StreamSocket:
		return typeSocketStream
	}
	return tree.TypeUnknown
}

// fdFilestatGet: (fd, *filestat).
func (h *Host) fdFilestatGet(m memory, a args) errno {
	d, e := h.get(a.u32(0), rightFdFilestatGet)
	if e != ok {
		return e
	}
	st, err := d.stat()
	if err != nil {
		return toErrno(err)
	}
	return putFilestat(m, a.u32(1), st)
}

func (d *desc) stat() (tree.Stat, error) {
	switch {
	case d.file != nil:
		return d.file.Stat()
	case d.dir != nil:
		return d.dir.Stat()
	case d.stream != nil:
		var st unix.Stat_t
		if err := unix.Fstat(d.stream.FD(), &st); err != nil {
			return tree.Stat{}, err
		}
		return tree.Stat{Dev: uint64(st.Dev), Ino: st.Ino, Type: d.filetype(), Nlink: uint64(st.Nlink), Size: uint64(st.Size),
			Atim: unix.TimespecToNsec(st.Atim), Mtim: unix.TimespecToNsec(st.Mtim), Ctim: unix.TimespecToNsec(st.Ctim)}, nil
	}
	return tree.Stat{Type: d.filetype()}, nil
}

// putFilestat writes a filestat (typenames.witx). A time before 1970, which it
// has no number for, is 0.
func putFilestat(m memory, ptr uint32, st tree.Stat) errno {
	b, inside := m.bytes(ptr, 64)
	if !inside {
		return errFault
	}
	clear(b)
	binary.LittleEndian.PutUint64(b[0:], st.Dev)
	binary.LittleEndian.PutUint64(b[8:], st.Ino)
	b[16] = byte(st.Type)
	binary.LittleEndian.PutUint64(b[24:], st.Nlink)
	binary.LittleEndian.PutUint64(b[32:], st.Size)
	binary.LittleEndian.PutUint64(b[40:], uint64(max(st.Atim, 0)))
	binary.LittleEndian.PutUint64(b[48:], uint64(max(st.Mtim, 0)))
	binary.LittleEndian.PutUint64(b[56:], uint64(max(st.Ctim, 0)))
	return ok
}

// fdFilestatSetSize: (fd, size).
func (h *Host) fdFilestatSetSize(_ memory, a args) errno {
	d, e := h.get(a.u32(0), rightFdFilestatSetSize)
	if e != ok {
		return e
	}
	if d.file == nil || a.u64(1) > math.MaxInt64 {
		return errInval
	}
	if err := d.file.Room(int64(a.u64(1))); err != nil {
		return toErrno(err)
	}
	for {
		err := unix.Ftruncate(d.file.FD(), int64(a.u64(1)))
		if err != unix.EINTR {
			return toErrno(err)
		}
	}
}

// fdFilestatSetTimes: (fd, atim, mtim, flags).
func (h *Host) fdFilestatSetTimes(_ memory, a args) errno {
	d, e := h.get(a.u32(0), rightFdFilestatSetTimes)
	if e != ok {
		return e
	}
	t, e := toTimes(a.u64(1), a.u64(2), a.u32(3))
	switch {
	case e != ok:
		return e
	case d.file != nil:
		return toErrno(d.file.SetTimes(t))
	case d.dir != nil:
		return toErrno(d.dir.SetTimes(t))
	}
	return errNotsup
}

// toTimes reads the times and the flags that say which count (fstflags).
func toTimes(atim, mtim uint64, flags uint32) (tree.Times, errno) {
	const setAtim, nowAtim, setMtim, nowMtim = 1, 2, 4, 8
	if flags&^15 != 0 || flags&3 == 3 || flags&12 == 12 {
		return tree.Times{}, errInval
	}
	if flags&setAtim != 0 && atim > math.MaxInt64 || flags&setMtim != 0 && mtim > math.MaxInt64 {
		return tree.Times{}, errOverflow
	}
	return tree.Times{
		Atim: int64(atim), SetAtim: flags&setAtim != 0, NowAtim: flags&nowAtim != 0,
		Mtim: int64(mtim), SetMtim: flags&setMtim != 0, NowMtim: flags&nowMtim != 0,
	}, ok
}
