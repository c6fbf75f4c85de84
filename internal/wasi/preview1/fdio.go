//go:build linux

package preview1

import (
	"math"
	"net/netip"

	"golang.org/x/sys/unix"
	"wherry/internal/wasi/host"
)

// fdRead: (fd, iovs, count, *n).
func (h *Host) fdRead(m memory, a args) errno {
	d, v, e := h.transfer(m, a, rightFdRead, 3)
	if e != ok {
		return e
	}
	var n int
	var err error
	switch {
	case d.file != nil:
		n, err = host.Readv(d.file.FD(), v)
	case d.stream != nil:
		n, err = d.stream.Read(v)
	case d.sock != nil:
		got, rerr := d.sock.Receive(v, false, false)
		n, err = got.N, rerr
	default:
		return errIsdir
	}
	return count(m, a.u32(3), n, err)
}

// fdWrite: (fd, iovs, count, *n).
func (h *Host) fdWrite(m memory, a args) errno {
	d, v, e := h.transfer(m, a, rightFdWrite, 3)
	if e != ok {
		return e
	}
	var n int
	var err error
	switch {
	case d.file != nil:
		if err = d.room(v); err == nil {
			n, err = host.Writev(d.file.FD(), v)
		}
	case d.stream != nil:
		n, err = d.stream.Write(v)
	case d.sock != nil:
		n, err = d.sock.Send(v, netip.AddrPort{})
	default:
		return errIsdir
	}
	return count(m, a.u32(3), n, err)
}

// fdPread: (fd, iovs, count, offset, *n).
func (h *Host) fdPread(m memory, a args) errno {
	d, v, e := h.positioned(m, a, rightFdRead|rightFdSeek)
	if e != ok {
		return e
	}
	n, err := host.Preadv(d.raw(), v, int64(a.u64(3)))
	return count(m, a.u32(4), n, err)
}

// fdPwrite: (fd, iovs, count, offset, *n). On a file open for appending Linux
// appends whatever the offset says (pwrite(2), BUGS).
func (h *Host) fdPwrite(m memory, a args) errno {
	d, v, e := h.positioned(m, a, rightFdWrite|rightFdSeek)
	if e != ok {
		return e
	}
	size := int64(host.Total(v))
	if int64(a.u64(3)) > math.MaxInt64-size {
		return toErrno(unix.EFBIG)
	}
	if d.bounded {
		if err := d.file.Room(int64(a.u64(3)) + size); err != nil {
			return toErrno(err)
		}
	}
	n, err := host.Pwritev(d.raw(), v, int64(a.u64(3)))
	return count(m, a.u32(4), n, err)
}

// transfer checks what reading and writing calls have in common: descriptor,
// buffers, and the place of the result.
func (h *Host) transfer(m memory, a args, right uint64, result int) (*desc, []unix.Iovec, errno) {
	d, e := h.get(a.u32(0), right)
	if e != ok {
		return nil, nil, e
	}
	if _, inside := m.bytes(a.u32(result), 4); !inside {
		return nil, nil, errFault
	}
	h.iov, e = m.iovecs(h.iov, a.u32(1), a.u32(2))
	return d, h.iov, e
}

// positioned is transfer for calls that name an offset.
func (h *Host) positioned(m memory, a args, rights uint64) (*desc, []unix.Iovec, errno) {
	d, v, e := h.transfer(m, a, rights, 4)
	switch {
	case e != ok:
		return nil, nil, e
	case d.raw() < 0:
		return nil, nil, errSpipe
	case a.u64(3) > math.MaxInt64:
		return nil, nil, errInval
	}
	return d, v, ok
}

// raw is the descriptor of what has a position, or -1.
func (d *desc) raw() int {
	switch {
	case d.file != nil:
		return d.file.FD()
	case d.stream != nil:
		return d.stream.FD()
	}
	return -1
}

// room asks whether a file may grow by what is about to be written.
func (d *desc) room(v []unix.Iovec) error {
	if !d.bounded {
		return nil
	}
	size := int64(host.Total(v))
	if d.flags&flagAppend != 0 {
		st, err := d.file.Stat()
		if err != nil {
			return err
		}
		return d.file.Room(int64(st.Size) + size)
	}
	position, err := unix.Seek(d.file.FD(), 0, unix.SEEK_CUR)
	switch {
	case err == unix.ESPIPE: // a device
		return nil
	case err != nil:
		return err
	case position > math.MaxInt64-size:
		return unix.EFBIG
	}
	return d.file.Room(position + size)
}

// count writes how many bytes were moved, unless moving them failed.
func count(m memory, result uint32, n int, err error) errno {
	if err != nil {
		return toErrno(err)
	}
	return m.putU32(result, uint32(n))
}
