//go:build linux

package tree

import (
	"strings"

	"golang.org/x/sys/unix"
)

// sysFlags are the flags of open(2) for a leaf. O_TRUNC is not among them: a
// file is emptied after it has been looked at. O_NONBLOCK is, so that a FIFO
// that takes a file's place cannot hold the guest; settle takes it off again.
func (o *OpenFlags) sysFlags() int {
	flags := unix.O_RDONLY
	switch {
	case o.Read && o.Write:
		flags = unix.O_RDWR
	case o.Write:
		flags = unix.O_WRONLY
	}
	if o.Append {
		flags |= unix.O_APPEND
	}
	if o.DSync {
		flags |= unix.O_DSYNC
	}
	if o.Sync {
		flags |= unix.O_SYNC
	}
	return flags | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
}

// Open opens path and returns a *Dir or a *File. Opening for writing brings a
// file of the image to the upper level first. A directory opened for writing
// is EISDIR, anything on a read-only root or mount EROFS.
func (d *Dir) Open(path string, o OpenFlags) (Node, error) {
	if o.Create && o.Directory {
		return nil, unix.EINVAL
	}
	f, err := d.begin()
	if err != nil {
		return nil, err
	}
	defer d.t.mu.Unlock()
	for range maxTries {
		n, err := d.t.open(f, path, &o)
		if err != unix.EAGAIN {
			return n, err
		}
	}
	return nil, unix.EBUSY // swapped under every try
}

func (t *Tree) open(start *folder, path string, o *OpenFlags) (Node, error) {
	var file *File
	var fast *shortcut
	if !o.Exclusive && !o.Directory && !o.Truncate {
		fast = &shortcut{write: o.Write, do: func(f *folder, base int, rel string, resolve uint64) (err error) {
			file, err = f.openFast(base, rel, resolve, o)
			if err == unix.ENOENT && o.Create {
				err = unix.EXDEV
			}
			return err
		}}
	}
	how := followIf(o.Follow)
	if o.Create && (o.Exclusive || strings.HasSuffix(path, "/")) {
		how = never
	}
	r, done, err := t.walk(start, path, how, fast)
	if err != nil {
		return nil, err
	}
	if done {
		file.low = lowRef{path: path, follow: o.Follow}
		if file.lower {
			file.low.f = start.retain()
		}
		return file, nil
	}
	defer r.f.release()
	return r.open(o)
}

// open opens what a walk found.
func (r *found) open(o *OpenFlags) (Node, error) {
	e := &r.e
	switch {
	case o.Create && r.slash && r.name != "":
		return nil, unix.EISDIR // whatever is there, as open(2)
	case r.name != "" && e.at == absent:
		if !o.Create {
			return nil, unix.ENOENT
		}
		return r.create(o)
	case o.Create && o.Exclusive:
		return nil, unix.EEXIST
	case r.name == "":
		if o.Write || o.Truncate || o.Create {
			return nil, unix.EISDIR
		}
		return &Dir{t: r.f.t, f: r.f.retain()}, nil
	case e.isDir():
		if o.Write || o.Truncate || o.Create {
			return nil, unix.EISDIR
		}
		c, err := r.f.child(r.name, e)
		if err != nil {
			return nil, err
		}
		return &Dir{t: r.f.t, f: c}, nil
	case r.slash || o.Directory:
		return nil, unix.ENOTDIR
	}
	if err := r.exists(); err != nil {
		return nil, err
	}
	r.device()
	if own := e.at == inDefault || e.at == inMount; !own || !isHarmless(&e.st) {
		if err := checkKind(&e.st); err != nil {
			return nil, err
		}
	}
	return r.openFile(o)
}

// device puts the tree's own harmless device in place of a node that the image
// has there: the node itself may lie where the kernel opens none.
func (r *found) device() {
	g := r.f.g.child(r.name)
	if r.e.kind() != unix.S_IFCHR || g == nil || g.def == nil || r.f.masked(r.name) {
		return
	}
	if st, err := g.def.stat(g.ino, r.f.t.born); err == nil && isHarmless(&st) {
		r.e.at, r.e.st, r.e.g = inDefault, st, g
	}
}

// create makes a file where a walk found none.
func (r *found) create(o *OpenFlags) (Node, error) {
	if err := r.f.changeable(); err != nil {
		return nil, err
	}
	if err := r.f.mnt.space.take(1); err != nil {
		return nil, err
	}
	fd, err := openat(r.f.upper, r.name, o.sysFlags()|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o666)
	if err == unix.EEXIST && !o.Exclusive {
		return nil, unix.EAGAIN // by someone else, since the walk
	}
	if err != nil {
		return nil, err
	}
	return r.f.newFile(fd, o, nil, r.f.mnt)
}

// openFile opens a regular file or a harmless device.
func (r *found) openFile(o *OpenFlags) (Node, error) {
	e, f := &r.e, r.f
	write := (o.Write || o.Truncate) && e.kind() == unix.S_IFREG
	m := f.mnt
	if e.at == inMount {
		m = e.g.mnt
	}
	if write && (m.ro || e.at == inDefault && e.g.def.dir >= 0) {
		return nil, unix.EROFS
	}
	if write && (e.at == inLower || e.at == inDefault) {
		if err := f.mayOpen(e, 2); err != nil {
			return nil, err
		}
		if err := f.copyUp(r.name, e, o.Truncate); err != nil {
			return nil, err
		}
	}
	var fd int
	var err error
	switch dir, _ := f.side(e); {
	case e.at == inMount:
		fd, err = openLeaf(m.dir, m.file, o, &e.st)
	case e.at == inDefault && e.g.def.dir >= 0:
		fd, err = openLeaf(e.g.def.dir, e.g.def.file, o, &e.st)
	case e.at == inDefault:
		fd, err = e.g.def.open()
	default:
		fd, err = openLeaf(dir, r.name, o, &e.st)
	}
	if err != nil {
		return nil, err
	}
	file, err := f.newFile(fd, o, e, m)
	if err != nil {
		return nil, err
	}
	if e.at == inLower || e.at == inDefault && e.kind() == unix.S_IFREG {
		file.lower, file.low = true, lowRef{f: f.retain(), path: r.name}
	}
	return file, nil
}

// openLeaf opens the very file that was looked at, and empties it if asked to.
func openLeaf(dir int, name string, o *OpenFlags, want *unix.Stat_t) (int, error) {
	fd, err := openSame(dir, name, o.sysFlags(), want)
	if err != nil || !o.Truncate || want.Mode&unix.S_IFMT != unix.S_IFREG {
		return fd, err
	}
	w := fd
	if !o.Write {
		if w, err = openSame(dir, name, unix.O_WRONLY|unix.O_NONBLOCK, want); err != nil {
			unix.Close(fd)
			return -1, err
		}
		defer unix.Close(w)
	}
	if err := retry(func() error { return unix.Ftruncate(w, 0) }); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func openSame(dir int, name string, flags int, want *unix.Stat_t) (int, error) {
	fd, err := openat(dir, name, flags|unix.O_NOFOLLOW, 0)
	switch err {
	case nil:
	case unix.ELOOP, unix.ENXIO, unix.ENOENT: // a link, a FIFO or socket, or nothing by now
		return -1, unix.EAGAIN
	default:
		return -1, err
	}
	st, err := fstat(fd)
	if err == nil && keyOf(&st) != keyOf(want) {
		err = unix.EAGAIN
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// openFast opens a file that lies in one layer with as few calls as are safe.
// A folder is EXDEV, left to the walk, which knows its way up.
func (f *folder) openFast(base int, rel string, resolve uint64, o *OpenFlags) (*File, error) {
	flags := uint64(o.sysFlags())
	look := uint64(unix.O_PATH)
	if !o.Follow {
		flags |= unix.O_NOFOLLOW
		look |= unix.O_NOFOLLOW
	}
	var want unix.Stat_t
	lower := base == f.lower
	if lower && f.t.plain {
		// What is mounted below the image's tree is another's: the walk looks.
		resolve |= unix.RESOLVE_NO_XDEV
	} else {
		// Merely opening a device may do something, so it is looked at first.
		// An image's tree without devices needs no such care.
		fd, err := openat2(base, rel, look, resolve)
		if err != nil {
			return nil, err
		}
		want, err = f.admit(fd)
		unix.Close(fd)
		if err != nil {
			return nil, err
		}
	}
	fd, err := openat2(base, rel, flags, resolve)
	if err == unix.ENXIO {
		err = unix.EXDEV // a socket, or a FIFO without a reader: the walk refuses it
	}
	if err != nil {
		return nil, err
	}
	st, err := f.admit(fd)
	if err == nil && want.Mode != 0 && keyOf(&st) != keyOf(&want) {
		err = unix.EAGAIN
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	e := entry{at: inUpper, st: st}
	if lower {
		e.at = inLower
	}
	file, err := f.newFile(fd, o, &e, f.mnt)
	if err == nil {
		file.lower = lower
	}
	return file, err
}

// admit checks that an open descriptor is something to give to a guest.
func (f *folder) admit(fd int) (unix.Stat_t, error) {
	st, err := fstat(fd)
	if err != nil {
		return st, err
	}
	if err := checkFS(fd, uint64(st.Dev), f.topDev()); err != nil {
		return st, err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return st, unix.EXDEV
	}
	return st, checkKind(&st)
}
