//go:build linux

package tree

import "golang.org/x/sys/unix"

// File is an open regular file, or one of the harmless devices.
type File struct {
	t     *Tree
	fd    int // -1 once closed
	o     OpenFlags
	mnt   *mounted
	space *space
	id    key
	kind  FileType
	isDef bool // made from Data: times are the tree's
	lower bool // in the image's tree, or a default file: never changed in place
	low   lowRef
}

// lowRef is how to find a file of the image again, to copy it up.
type lowRef struct {
	f      *folder // retained; nil where lower is false
	path   string
	follow bool
}

// newFile takes over fd, which a guest will get, opened in m. e is nil for a
// new file.
func (f *folder) newFile(fd int, o *OpenFlags, e *entry, m *mounted) (*File, error) {
	file := &File{t: f.t, fd: fd, o: *o, mnt: m, space: m.space}
	var st unix.Stat_t
	var err error
	if e == nil {
		st, err = fstat(fd)
		e = &entry{at: inUpper, st: st}
	}
	if err == nil && !o.NonBlock {
		err = clearNonBlock(fd, o)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	file.kind = typeOfMode(e.st.Mode)
	file.id = f.identity(e)
	file.isDef = e.at == inDefault && e.g.def.dir < 0
	if file.space != nil {
		file.space.open[file] = struct{}{}
	}
	return file, nil
}

// clearNonBlock undoes the O_NONBLOCK that every leaf is opened with. Of all
// flags, fcntl changes only this and O_APPEND of those that are used here.
func clearNonBlock(fd int, o *OpenFlags) error {
	flags := 0
	if o.Append {
		flags = unix.O_APPEND
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags)
	return err
}

// FD is the raw descriptor, close-on-exec and the File's own. It is opened for
// just what OpenFlags asked for (O_APPEND, O_NONBLOCK, O_SYNC included, which
// fcntl may change). What changes the file by descriptor although it is open
// for reading only (its times) must go through the File's methods.
func (f *File) FD() int { return f.fd }

// Append says whether the file was opened with OpenFlags.Append.
func (f *File) Append() bool { return f.o.Append }

// Readable says whether the descriptor may be read.
func (f *File) Readable() bool { return f.o.Read || !f.o.Write }

// Writable says whether the descriptor may be written.
func (f *File) Writable() bool { return f.o.Write }

// Type is the file's kind: TypeRegular or TypeCharacterDevice.
func (f *File) Type() FileType { return f.kind }

// Room must be asked before the file is written, truncated or allocated beyond
// its end: end is the size in bytes that it would get. It is ENOSPC where a
// Mount.Size would be exceeded, and costs nothing elsewhere.
func (f *File) Room(end int64) error {
	if f.space == nil {
		return nil
	}
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	return f.space.grow(f.fd, end)
}

// Stat describes the file.
func (f *File) Stat() (Stat, error) {
	st, err := fstat(f.fd)
	if err != nil {
		return Stat{}, err
	}
	if f.isDef {
		st.Atim, st.Mtim, st.Ctim, st.Nlink = f.t.born, f.t.born, f.t.born, 1
	}
	return makeStat(&st, f.id), nil
}

// SetTimes sets the file's times. A file of the image is brought to the upper
// level for it, and FD is that copy from then on, at the same offset.
func (f *File) SetTimes(t Times) error {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	switch {
	case f.fd < 0:
		return unix.EBADF
	case f.mnt.ro:
		return unix.EROFS
	case f.kind != TypeRegular:
		return unix.EPERM // a device of the host
	case f.lower:
		if err := f.raise(t); err != nil {
			return err
		}
	}
	return futimens(f.fd, t.timespecs())
}

// raise replaces a file of the image by its copy in the upper level.
func (f *File) raise(t Times) error {
	r, _, err := f.t.walk(f.low.f, f.low.path, followIf(f.low.follow), nil)
	if err != nil {
		return err
	}
	defer r.f.release()
	if r.name == "" || r.e.at == absent || r.f.identity(&r.e) != f.id {
		return unix.EROFS // it has lost its name, and what is left of it is the image's
	}
	if r.e.at != inUpper {
		if err := r.f.mayTouch(&r.e, t); err != nil {
			return err
		}
		if err := r.f.copyUp(r.name, &r.e, false); err != nil {
			return err
		}
	}
	fd, err := openLeaf(r.f.upper, r.name, &OpenFlags{Read: f.o.Read, NonBlock: f.o.NonBlock}, &r.e.st)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	flags, err := unix.FcntlInt(uintptr(f.fd), unix.F_GETFL, 0)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags)
	}
	if err != nil {
		return err
	}
	off, err := unix.Seek(f.fd, 0, unix.SEEK_CUR)
	if err != nil {
		return err
	}
	if _, err := unix.Seek(fd, off, unix.SEEK_SET); err != nil {
		return err
	}
	if err := unix.Dup3(fd, f.fd, unix.O_CLOEXEC); err != nil {
		return err
	}
	f.lower, f.isDef = false, false
	f.low.f.release()
	f.low.f = nil
	return nil
}

// Sync writes the file to the disk.
func (f *File) Sync(dataOnly bool) error { return syncFD(f.fd, dataOnly) }

func syncFD(fd int, dataOnly bool) error {
	return retry(func() error {
		if dataOnly {
			return unix.Fdatasync(fd)
		}
		return unix.Fsync(fd)
	})
}

// Sync writes the directory to the disk.
func (d *Dir) Sync(dataOnly bool) error {
	f, err := d.begin()
	if err != nil {
		return err
	}
	defer d.t.mu.Unlock()
	if f.upper < 0 {
		return nil // nothing of it was changed
	}
	fd, err := openat(f.upper, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return syncFD(fd, dataOnly)
}

// Close gives the file back. Its error is that of the last write, where the
// file system tells it only now.
func (f *File) Close() error {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	if f.fd < 0 {
		return unix.EBADF
	}
	err := unix.Close(f.fd)
	f.fd = -1
	if f.space != nil {
		delete(f.space.open, f)
	}
	if f.low.f != nil {
		f.low.f.release()
		f.low.f = nil
	}
	return err
}
