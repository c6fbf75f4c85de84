//go:build linux

package tree

import (
	"strings"

	"golang.org/x/sys/unix"
)

// within runs an operation that makes or removes the last name of path. The
// name's own link is never followed.
func (d *Dir) within(path string, do func(r *found) error) error {
	f, err := d.begin()
	if err != nil {
		return err
	}
	defer d.t.mu.Unlock()
	r, _, err := d.t.walk(f, path, never, nil)
	if err != nil {
		return err
	}
	defer r.f.release()
	return do(&r)
}

// vacant says whether something other than a folder may be made at r.
func (r *found) vacant() error {
	switch {
	case r.name == "" || r.e.at != absent:
		return unix.EEXIST
	case r.slash:
		return unix.ENOENT
	}
	return r.f.prepare()
}

// prepare makes the folder ready to take a new name.
func (f *folder) prepare() error {
	if err := f.changeable(); err != nil {
		return err
	}
	return f.mnt.space.take(1)
}

// Mkdir creates a directory.
func (d *Dir) Mkdir(path string) error {
	return d.within(path, func(r *found) error {
		if r.name == "" || r.e.at != absent {
			return unix.EEXIST
		}
		if err := r.f.prepare(); err != nil {
			return err
		}
		return unix.Mkdirat(r.f.upper, r.name, 0o777)
	})
}

// Symlink makes a symbolic link at path. An absolute target is ErrNotCapable:
// a guest shall not leave links on a mounted folder that mean something else
// to the host. One that climbs is stored, and resolves below the root.
func (d *Dir) Symlink(target, path string) error {
	if strings.HasPrefix(target, "/") {
		return ErrNotCapable
	}
	return d.SymlinkAny(target, path)
}

// SymlinkAny is Symlink with any target, for unpacking archives into a tree.
func (d *Dir) SymlinkAny(target, path string) error {
	if err := checkText(target); err != nil {
		return err
	}
	return d.within(path, func(r *found) error {
		if err := r.vacant(); err != nil {
			return err
		}
		return unix.Symlinkat(target, r.f.upper, r.name)
	})
}

// Readlink returns the body of the link at path.
func (d *Dir) Readlink(path string) (string, error) {
	f, err := d.begin()
	if err != nil {
		return "", err
	}
	defer d.t.mu.Unlock()
	r, _, err := d.t.walk(f, path, nofollow, nil)
	if err != nil {
		return "", err
	}
	defer r.f.release()
	switch {
	case r.name == "":
		return "", unix.EINVAL
	case r.e.at == absent:
		return "", unix.ENOENT
	case r.e.kind() != unix.S_IFLNK:
		if r.slash && !r.e.isDir() {
			return "", unix.ENOTDIR
		}
		return "", unix.EINVAL
	}
	return r.f.readlink(r.name, &r.e)
}

// Link makes a hard link new in nd to old; with follow, to what a link at old
// points to. A file of the image is brought to the upper level first; folders
// are EPERM, other mounts EXDEV.
func (d *Dir) Link(old string, follow bool, nd *Dir, new string) error {
	f, err := d.begin()
	if err != nil {
		return err
	}
	defer d.t.mu.Unlock()
	if nd.t != d.t {
		return unix.EXDEV
	}
	if nd.f == nil {
		return unix.EBADF
	}
	src, _, err := d.t.walk(f, old, followIf(follow), nil)
	if err != nil {
		return err
	}
	defer src.f.release()
	if src.name != "" {
		if err := src.exists(); err != nil {
			return err
		}
	}
	dst, _, err := d.t.walk(nd.f, new, never, nil)
	if err != nil {
		return err
	}
	defer dst.f.release()
	switch { // in the order of link(2)
	case dst.name == "" || dst.e.at != absent:
		return unix.EEXIST
	case dst.slash:
		return unix.ENOENT
	case src.f.mnt != dst.f.mnt || src.e.at == inMount:
		return unix.EXDEV
	case src.name == "" || src.e.isDir():
		return unix.EPERM
	}
	if err := dst.vacant(); err != nil {
		return err
	}
	if src.e.at != inUpper {
		if src.e.kind() == unix.S_IFCHR {
			return unix.EXDEV // a harmless device of the tree's own
		}
		if src.f.mayOpen(&src.e, 6) != nil {
			return unix.EPERM // as with fs.protected_hardlinks (proc_sys_fs(5))
		}
		if err := src.f.copyUp(src.name, &src.e, false); err != nil {
			return err
		}
	}
	return unix.Linkat(src.f.upper, src.name, dst.f.upper, dst.name, 0)
}

// Unlink removes a name that is not a directory.
func (d *Dir) Unlink(path string) error {
	return d.within(path, func(r *found) error {
		switch {
		case r.name == "" || r.e.isDir():
			return unix.EISDIR
		case r.e.at == absent:
			return unix.ENOENT
		case r.slash:
			return unix.ENOTDIR
		case r.e.at == inMount:
			return unix.EBUSY
		}
		if err := r.f.changeable(); err != nil {
			return err
		}
		if err := r.f.mayRemove(r.name, &r.e); err != nil {
			return err
		}
		if err := r.f.maskBeneath(r.name); err != nil {
			return err
		}
		if r.e.at != inUpper {
			return nil
		}
		err := unix.Unlinkat(r.f.upper, r.name, 0)
		if err == nil {
			r.f.t.forget(&r.e.st)
		}
		return err
	})
}

// Rmdir removes an empty directory.
func (d *Dir) Rmdir(path string) error {
	return d.within(path, func(r *found) error {
		switch {
		case r.name == "" && r.dot == "..":
			return unix.ENOTEMPTY
		case r.name == "":
			return unix.EINVAL
		case r.e.at == absent:
			return unix.ENOENT
		case !r.e.isDir():
			return unix.ENOTDIR
		case r.f.mountsBelow(r.name):
			return unix.EBUSY
		}
		if err := r.f.changeable(); err != nil {
			return err
		}
		if err := r.f.mayRemove(r.name, &r.e); err != nil {
			return err
		}
		return r.f.removeDir(r.name, &r.e)
	})
}

// removeDir removes the empty folder that e describes.
func (f *folder) removeDir(name string, e *entry) error {
	if f.mnt.overlay {
		if err := f.checkEmpty(name, e); err != nil {
			return err
		}
	}
	if err := f.maskBeneath(name); err != nil {
		return err
	}
	if e.at == inUpper {
		if err := unix.Unlinkat(f.upper, name, unix.AT_REMOVEDIR); err != nil {
			return err
		}
		f.t.forget(&e.st)
	}
	f.bury(name)
	return nil
}

// checkEmpty is ENOTEMPTY for a folder that shows anything.
func (f *folder) checkEmpty(name string, e *entry) error {
	c, err := f.child(name, e)
	if err != nil {
		return err
	}
	defer c.release()
	all, err := c.view()
	if err == nil && len(all) > 0 {
		err = unix.ENOTEMPTY
	}
	return err
}

// bury cuts a removed folder that someone still has open off its layers: it
// stays an empty folder in which nothing can be made.
func (f *folder) bury(name string) {
	k := f.kids[name]
	if k == nil {
		return
	}
	delete(f.kids, name)
	closeFD(k.lower, k.white)
	k.lower, k.white, k.hidden, k.gone, k.g = -1, -1, true, true, nil
}
