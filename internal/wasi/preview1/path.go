//go:build linux

package preview1

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// maxPath is the longest path that is passed on: Linux's PATH_MAX, with its NUL.
const maxPath = unix.PathMax - 1

// lookupFollow follows a link in the last component (typenames.witx, lookupflags).
const lookupFollow = 1

// dirAt gives a directory with rights.
func (h *Host) dirAt(fd uint32, rights uint64) (*desc, errno) {
	d := h.table.get(fd)
	switch {
	case d == nil:
		return nil, errBadf
	case d.dir == nil:
		return nil, errNotdir
	}
	return d, d.need(rights)
}

// path reads a path. One with a NUL inside names no file.
func (m memory) path(ptr, n uint32) (string, errno) {
	b, inside := m.bytes(ptr, n)
	switch {
	case !inside:
		return "", errFault
	case len(b) > maxPath:
		return "", errNametoolong
	case bytes.IndexByte(b, 0) >= 0:
		return "", errInval
	}
	return string(b), ok
}

// at is what most calls on paths begin with: a directory and a path.
func (h *Host) at(m memory, rights uint64, fd, ptr, n uint32) (*desc, string, errno) {
	d, e := h.dirAt(fd, rights)
	if e != ok {
		return nil, "", e
	}
	path, e := m.path(ptr, n)
	return d, path, e
}

// pathCreateDirectory: (fd, path, len).
func (h *Host) pathCreateDirectory(m memory, a args) errno {
	d, path, e := h.at(m, rightPathCreateDirectory, a.u32(0), a.u32(1), a.u32(2))
	if e != ok {
		return e
	}
	return toErrno(d.dir.Mkdir(path))
}

// pathRemoveDirectory: (fd, path, len).
func (h *Host) pathRemoveDirectory(m memory, a args) errno {
	d, path, e := h.at(m, rightPathRemoveDirectory, a.u32(0), a.u32(1), a.u32(2))
	if e != ok {
		return e
	}
	return toErrno(d.dir.Rmdir(path))
}

// pathUnlinkFile: (fd, path, len).
func (h *Host) pathUnlinkFile(m memory, a args) errno {
	d, path, e := h.at(m, rightPathUnlinkFile, a.u32(0), a.u32(1), a.u32(2))
	if e != ok {
		return e
	}
	return toErrno(d.dir.Unlink(path))
}

// pathFilestatGet: (fd, lookup, path, len, *filestat).
func (h *Host) pathFilestatGet(m memory, a args) errno {
	d, path, e := h.at(m, rightPathFilestatGet, a.u32(0), a.u32(2), a.u32(3))
	if e != ok {
		return e
	}
	follow, e := lookup(a.u32(1))
	if e != ok {
		return e
	}
	st, err := d.dir.StatAt(path, follow)
	if err != nil {
		return toErrno(err)
	}
	return putFilestat(m, a.u32(4), st)
}

// pathFilestatSetTimes: (fd, lookup, path, len, atim, mtim, flags).
func (h *Host) pathFilestatSetTimes(m memory, a args) errno {
	d, path, e := h.at(m, rightPathFilestatSetTime, a.u32(0), a.u32(2), a.u32(3))
	if e != ok {
		return e
	}
	follow, e := lookup(a.u32(1))
	if e != ok {
		return e
	}
	t, e := toTimes(a.u64(4), a.u64(5), a.u32(6))
	if e != ok {
		return e
	}
	return toErrno(d.dir.SetTimesAt(path, follow, t))
}

// pathLink: (oldFd, lookup, oldPath, len, newFd, newPath, len).
func (h *Host) pathLink(m memory, a args) errno {
	from, old, e := h.at(m, rightPathLinkSource, a.u32(0), a.u32(2), a.u32(3))
	if e != ok {
		return e
	}
	to, path, e := h.at(m, rightPathLinkTarget, a.u32(4), a.u32(5), a.u32(6))
	if e != ok {
		return e
	}
	follow, e := lookup(a.u32(1))
	if e != ok {
		return e
	}
	return toErrno(from.dir.Link(old, follow, to.dir, path))
}

// pathRename: (fd, oldPath, len, newFd, newPath, len).
func (h *Host) pathRename(m memory, a args) errno {
	from, old, e := h.at(m, rightPathRenameSource, a.u32(0), a.u32(1), a.u32(2))
	if e != ok {
		return e
	}
	to, path, e := h.at(m, rightPathRenameTarget, a.u32(3), a.u32(4), a.u32(5))
	if e != ok {
		return e
	}
	return toErrno(from.dir.Rename(old, to.dir, path))
}

// pathSymlink: (target, len, fd, path, len).
func (h *Host) pathSymlink(m memory, a args) errno {
	target, e := m.path(a.u32(0), a.u32(1))
	if e != ok {
		return e
	}
	d, path, e := h.at(m, rightPathSymlink, a.u32(2), a.u32(3), a.u32(4))
	if e != ok {
		return e
	}
	return toErrno(d.dir.Symlink(target, path))
}

// pathReadlink: (fd, path, len, buf, len, *used). What does not fit is cut off.
func (h *Host) pathReadlink(m memory, a args) errno {
	d, path, e := h.at(m, rightPathReadlink, a.u32(0), a.u32(1), a.u32(2))
	if e != ok {
		return e
	}
	buf, inside := m.bytes(a.u32(3), a.u32(4))
	if !inside {
		return errFault
	}
	target, err := d.dir.Readlink(path)
	if err != nil {
		return toErrno(err)
	}
	return m.putU32(a.u32(5), uint32(copy(buf, target)))
}

// lookup reads lookupflags.
func lookup(flags uint32) (follow bool, e errno) {
	if flags&^lookupFollow != 0 {
		return false, errInval
	}
	return flags&lookupFollow != 0, ok
}
