//go:build linux

package tree

import "golang.org/x/sys/unix"

// Rename moves old to the path new in nd, replacing what is there as
// rename(2) does. Between mounts it is EXDEV; what is a mount point, or the way
// to one, is EBUSY. A folder of the image is brought to the upper level whole,
// and is EXDEV when it is very large (as every such folder is to kernel
// overlays), so that the program copies it itself.
func (d *Dir) Rename(old string, nd *Dir, new string) error {
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
	src, _, err := d.t.walk(f, old, never, nil)
	if err != nil {
		return err
	}
	defer src.f.release()
	dst, _, err := d.t.walk(nd.f, new, never, nil)
	if err != nil {
		return err
	}
	defer dst.f.release()
	if err := checkRename(&src, &dst); err != nil {
		return err
	}
	if src.f == dst.f && src.name == dst.name {
		return nil
	}
	for _, end := range []*found{&src, &dst} {
		if err := end.f.changeable(); err != nil {
			return err
		}
		if end.e.at != absent {
			if err := end.f.mayRemove(end.name, &end.e); err != nil {
				return err
			}
		}
	}
	if !src.f.mnt.overlay {
		return unix.Renameat2(src.f.upper, src.name, dst.f.upper, dst.name, 0)
	}
	if src.e.isDir() {
		return renameDir(&src, &dst)
	}
	return renameFile(&src, &dst)
}

// checkRename refuses what rename(2) refuses.
func checkRename(src, dst *found) error {
	switch {
	case src.name == "" || dst.name == "":
		return unix.EBUSY
	case src.e.at == absent:
		return unix.ENOENT
	case src.f.mountsBelow(src.name) || dst.f.mountsBelow(dst.name):
		return unix.EBUSY
	case src.f.mnt != dst.f.mnt:
		return unix.EXDEV
	case src.f.mnt.ro:
		return unix.EROFS
	case (src.slash || dst.slash) && !src.e.isDir():
		return unix.ENOTDIR
	}
	if !src.f.mnt.overlay {
		return nil // the kernel sees the rest for itself
	}
	if src.e.isDir() && dst.f.within(src) {
		return unix.EINVAL // into itself
	}
	if src.f.within(dst) {
		return unix.ENOTEMPTY // onto a folder above it
	}
	if dst.e.at == absent {
		return nil
	}
	if src.e.isDir() && !dst.e.isDir() {
		return unix.ENOTDIR
	}
	if !src.e.isDir() && dst.e.isDir() {
		return unix.EISDIR
	}
	return nil
}

// within says whether f is the entry r or lies below it. Folders of the joined
// root are shared, so identity is place.
func (f *folder) within(r *found) bool {
	for ; f != nil; f = f.parent {
		if f.parent == r.f && f.name == r.name {
			return true
		}
	}
	return false
}

func renameFile(src, dst *found) error {
	if src.e.at == inDefault && src.e.kind() == unix.S_IFCHR {
		return unix.EBUSY // a harmless device of the tree's own
	}
	if src.e.at != inUpper {
		if err := src.f.copyUp(src.name, &src.e, false); err != nil {
			return err
		}
	}
	same := dst.e.at == inUpper && keyOf(&dst.e.st) == keyOf(&src.e.st)
	// The new name is set before the old one goes: a crash leaves both.
	if err := unix.Renameat2(src.f.upper, src.name, dst.f.upper, dst.name, 0); err != nil {
		return err
	}
	if same {
		return nil // two names of one file: rename(2) leaves both
	}
	if dst.e.at == inUpper {
		dst.f.t.forget(&dst.e.st)
	}
	return src.f.maskBeneath(src.name)
}

func renameDir(src, dst *found) error {
	if dst.e.at != absent {
		if err := dst.f.checkEmpty(dst.name, &dst.e); err != nil {
			return err
		}
	}
	c, err := src.f.child(src.name, &src.e)
	if err != nil {
		return err
	}
	defer c.release()
	if src.f != dst.f { // its ".." changes
		if err := c.mayChange(); err != nil {
			return err
		}
	}
	if err := c.copyUpAll(&budget{entries: moveEntries, bytes: moveBytes}); err != nil {
		return err
	}
	// What the image has at the new place must not shine through.
	if err := dst.f.maskBeneath(dst.name); err != nil {
		return err
	}
	if err := unix.Renameat2(src.f.upper, src.name, dst.f.upper, dst.name, 0); err != nil {
		return err
	}
	if dst.e.at == inUpper {
		dst.f.t.forget(&dst.e.st)
	}
	dst.f.bury(dst.name)
	src.f.moveKid(c, dst.f, dst.name)
	return src.f.maskBeneath(src.name)
}

// moveKid follows a rename in the shared folders. What moved is whole in the
// upper level and has nothing of the image under it any more.
func (f *folder) moveKid(c, to *folder, name string) {
	delete(f.kids, c.name)
	c.parent, c.name = to.retain(), name
	if to.kids == nil {
		to.kids = map[string]*folder{}
	}
	to.kids[name] = c
	c.settle()
	f.release() // after settle: it may be the last holder of f
}

// settle cuts a folder in the upper level, and those open below it, off the
// image.
func (f *folder) settle() {
	f.refresh()
	if st, err := fstat(f.upper); err == nil {
		f.t.origin[keyOf(&st)] = f.id
	}
	closeFD(f.lower, f.white)
	f.lower, f.white, f.hidden, f.g = -1, -1, true, nil
	for _, k := range f.kids {
		k.settle()
	}
}
