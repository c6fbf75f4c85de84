//go:build linux

package tree

import (
	"golang.org/x/sys/unix"
)

// identify maps an inode of the upper level to the one that it was copied
// from, so that a program sees no other file because it wrote to it. The map
// lives as long as the tree.
func (t *Tree) identify(st *unix.Stat_t) key {
	k := keyOf(st)
	if o, ok := t.origin[k]; ok {
		return o
	}
	return k
}

// forget drops the origin of an inode that loses its last name: its number may
// be used again.
func (t *Tree) forget(st *unix.Stat_t) {
	if st.Nlink <= 1 || st.Mode&unix.S_IFMT == unix.S_IFDIR {
		delete(t.origin, keyOf(st))
	}
}

// copyUp brings an entry that is not a folder to the upper level. With empty
// the content stays behind, as opening with O_TRUNC does not need it. It is
// unix.EXDEV for what cannot be copied (devices, sockets).
func (f *folder) copyUp(name string, e *entry, empty bool) (err error) {
	if err := f.writable(); err != nil {
		return err
	}
	temp, work := f.t.upper.temp(), f.t.upper.workFor(f)
	defer func() {
		if err != nil {
			unix.Unlinkat(work, temp, 0) // what is left is cleared at the next start
		}
	}()
	switch e.kind() {
	case unix.S_IFREG:
		err = f.copyFile(temp, name, e, empty)
	case unix.S_IFLNK:
		var body string
		if body, err = readlinkat(f.lower, name); err == nil {
			err = unix.Symlinkat(body, work, temp)
		}
	case unix.S_IFIFO:
		err = unix.Mknodat(work, temp, unix.S_IFIFO|0o600, 0)
	default:
		err = unix.EXDEV
	}
	if err != nil {
		return err
	}
	if e.at == inDefault && e.g.def.dir < 0 {
		err = chmod(work, temp, e.st.Mode&0o7777)
	} else {
		err = likeOriginal(work, temp, &e.st, userMode(&e.st))
	}
	if err != nil {
		return err
	}
	st, err := fstatat(work, temp)
	if err != nil {
		return err
	}
	if err := unix.Renameat2(work, temp, f.upper, name, 0); err != nil {
		return err
	}
	// Several names of one file of the image become several files: only one of
	// them could keep the number, so none does.
	if e.st.Nlink == 1 {
		f.t.origin[keyOf(&st)] = keyOf(&e.st)
	}
	e.at, e.st = inUpper, st
	return nil
}

func (f *folder) copyFile(temp, name string, e *entry, empty bool) error {
	out, err := openat(f.t.upper.workFor(f), temp, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o600)
	if err != nil || empty {
		closeFD(out)
		return err
	}
	in, err := f.openBelow(name, e)
	if err == nil {
		err = copyBytes(in, out)
	}
	closeFD(in)
	if cerr := unix.Close(out); err == nil {
		err = cerr // a full disk or quota may show only here
	}
	return err
}

// openBelow opens a file of the image, or a default file, for reading.
func (f *folder) openBelow(name string, e *entry) (fd int, err error) {
	if e.at == inDefault {
		fd, err = e.g.def.open()
	} else {
		fd, err = openat(f.lower, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	}
	if err != nil {
		return -1, err
	}
	st, err := fstat(fd)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = unix.EAGAIN
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// copyBytes copies a file whole: shared extents where the file system has
// them, then inside the kernel, then by hand.
func copyBytes(in, out int) error {
	if unix.IoctlFileClone(out, in) == nil {
		return nil
	}
	const chunk = 1 << 20
	for {
		n, err := unix.CopyFileRange(in, nil, out, nil, chunk, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			break // not between these file systems; both offsets tell how far it came
		}
		if n == 0 {
			break // the end, or a file system that only pretends: read(2) will tell
		}
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(in, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
		for b := buf[:n]; len(b) > 0; {
			w, err := unix.Write(out, b)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				return err
			}
			b = b[w:]
		}
	}
}

// The bounds of one rename of a folder that lies in the image. Beyond them the
// answer is EXDEV, as of kernel overlays, and programs copy by themselves.
const (
	moveEntries = 1 << 16
	moveBytes   = 4 << 30
)

// budget is what is left of those bounds.
type budget struct {
	entries int
	bytes   int64
}

// copyUpAll brings a folder with all below it to the upper level. What in it
// the user may not change would be the user's own then, and is EXDEV too.
func (f *folder) copyUpAll(b *budget) error {
	if f.mayChange() != nil {
		return unix.EXDEV
	}
	if err := f.writable(); err != nil {
		return err
	}
	if f.lower < 0 && f.g == nil {
		return nil
	}
	names, err := f.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		e, err := f.lookup(name)
		if err != nil {
			return err
		}
		if b.entries--; b.entries < 0 {
			return unix.EXDEV
		}
		switch {
		case e.at == inUpper && !e.merged, e.at == absent:
		case e.isDir():
			c, err := f.child(name, &e)
			if err != nil {
				return err
			}
			err = c.copyUpAll(b)
			c.release()
			if err != nil {
				return err
			}
		default:
			if b.bytes -= e.st.Size; b.bytes < 0 || f.mayOpen(&e, 6) != nil {
				return unix.EXDEV
			}
			if err := f.copyUp(name, &e, false); err != nil {
				return err
			}
		}
	}
	return nil
}
