//go:build linux

package tree

import "golang.org/x/sys/unix"

// folder is a live directory of the tree: the descriptors of its layers and
// its way up. ".." is answered from parent and never asked of the kernel, so a
// folder that is moved on the host while a walk passes through it leads nowhere
// new. Folders of the joined root are shared by everyone who has them open
// (kids), so that a copy-up or a rename is seen at once by all.
//
// All fields are guarded by Tree.mu.
type folder struct {
	t      *Tree
	parent *folder // nil for "/"
	name   string
	refs   int
	mnt    *mounted
	g      *graft
	// upper is what is written, lower the image's folder under it, white the
	// folder with upper's masks for it (see upper.go). O_PATH, or -1.
	upper, lower, white int
	upperDev, lowerDev  uint64
	id                  key  // what Stat reports
	hidden              bool // defaults of this place are masked
	gone                bool // removed
	kids                map[string]*folder
}

func (f *folder) retain() *folder { f.refs++; return f }

// release gives back a reference, and the way up when it was the last.
func (f *folder) release() {
	for f != nil {
		if f.refs--; f.refs > 0 {
			return
		}
		closeFD(f.upper, f.lower, f.white)
		p := f.parent
		if p == nil {
			f.t.dispose()
			return
		}
		if p.kids[f.name] == f {
			delete(p.kids, f.name)
		}
		f = p
	}
}

// mountsBelow says whether renaming or removing the folder's entry name would
// move a mount point.
func (f *folder) mountsBelow(name string) bool {
	g := f.g.child(name)
	return g != nil && g.mounts
}

// refresh looks for the upper side of a folder that had none when it was
// opened: another holder of the same upper level may have made it.
func (f *folder) refresh() {
	if f.upper >= 0 || f.gone || f.parent == nil || f.t.upper == nil || !f.mnt.overlay {
		return
	}
	if f.parent.refresh(); f.parent.upper < 0 {
		return
	}
	fd, err := openPath(f.parent.upper, f.name, unix.O_DIRECTORY)
	if err != nil {
		return
	}
	if err := f.setUpper(fd); err != nil {
		return
	}
	f.openWhite()
}

// setUpper takes over fd as the folder's upper side.
func (f *folder) setUpper(fd int) error {
	st, err := fstat(fd)
	if err != nil {
		unix.Close(fd)
		return err
	}
	f.upper, f.upperDev = fd, uint64(st.Dev)
	return nil
}

func (f *folder) openWhite() {
	if f.white < 0 && f.parent.white >= 0 && f.mnt.overlay && !f.hidden {
		if fd, err := openPath(f.parent.white, f.name, unix.O_DIRECTORY); err == nil {
			f.white = fd
		}
	}
}

// masked says whether the image's entry name of this folder is hidden.
func (f *folder) masked(name string) bool {
	if f.hidden {
		return true
	}
	if f.white < 0 {
		return false
	}
	st, err := fstatat(f.white, name)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG
}

// where says which layer answers for a name.
type where uint8

const (
	absent    where = iota
	inUpper         // the upper level, or a mount's folder
	inLower         // the image's tree
	inDefault       // a default file
	inMount         // a mount point
	inNothing       // a folder that exists only as the way to a mount or default
)

// entry is what a folder has under a name.
type entry struct {
	at where
	st unix.Stat_t // of the entry itself, links not followed
	g  *graft
	// merged: a folder of upper with the image's folder of that name under it.
	merged bool
	lower  unix.Stat_t // of that folder
	masked bool        // the image's entry of this name is hidden
}

func (e *entry) kind() uint32 { return e.st.Mode & unix.S_IFMT }
func (e *entry) isDir() bool  { return e.at != absent && e.kind() == unix.S_IFDIR }

// nameMax is the longest name that Linux's file systems take, in bytes; checked
// here for the places that no file system answers for.
const nameMax = 255

// lookup finds what the folder has under a single name. What is not there is
// an entry at absent, not an error.
func (f *folder) lookup(name string) (e entry, err error) {
	if len(name) > nameMax {
		return e, unix.ENAMETOOLONG
	}
	f.refresh()
	e.g = f.g.child(name)
	if e.g != nil && e.g.mnt != nil {
		e.at = inMount
		m := e.g.mnt
		if m.file != "" {
			e.st, err = fstatat(m.dir, m.file)
		} else {
			e.st, err = fstat(m.dir)
		}
		return e, err
	}
	if f.upper >= 0 {
		e.st, err = fstatat(f.upper, name)
		if err == nil {
			e.at = inUpper
			return e, f.lookupUnder(name, &e)
		}
		if err != unix.ENOENT {
			return e, err
		}
	}
	if e.masked = f.masked(name); !e.masked {
		if f.lower >= 0 {
			e.st, err = fstatat(f.lower, name)
			if err == nil {
				e.at = inLower
				return e, nil
			}
			if err != unix.ENOENT {
				return e, err
			}
		}
		if e.g != nil && e.g.def != nil {
			e.at = inDefault
			e.st, err = e.g.def.stat(e.g.ino, f.t.born)
			return e, err
		}
	}
	if e.g != nil && (e.g.mounts || !e.masked && e.g.def == nil) {
		e.at = inNothing
		e.st = f.t.virtualDir(e.g.ino)
	}
	return e, nil
}

// lookupUnder adds what the image has under a folder of the upper level.
func (f *folder) lookupUnder(name string, e *entry) error {
	if !e.isDir() || !f.mnt.overlay {
		return nil
	}
	if e.masked = f.masked(name); e.masked || f.lower < 0 {
		return nil
	}
	st, err := fstatat(f.lower, name)
	if err == unix.ENOENT {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		e.merged, e.lower = true, st
	} else {
		e.masked = true // upper's folder replaces the image's file
	}
	return nil
}

// beneathHidden says whether the image has anything unmasked under a name,
// which must be masked before the name can go away.
func (f *folder) beneathHidden(name string) (bool, error) {
	if !f.mnt.overlay || f.masked(name) {
		return false, nil
	}
	if g := f.g.child(name); g != nil && g.mnt == nil {
		return true, nil
	}
	if f.lower < 0 {
		return false, nil
	}
	_, err := fstatat(f.lower, name)
	if err == unix.ENOENT {
		return false, nil
	}
	return err == nil, err
}

// child opens the folder that lookup found under name. EAGAIN means that it
// has been replaced meanwhile.
func (f *folder) child(name string, e *entry) (_ *folder, err error) {
	if k := f.kids[name]; k != nil {
		return k.retain(), nil
	}
	c := &folder{t: f.t, name: name, mnt: f.mnt, g: e.g, upper: -1, lower: -1, white: -1,
		hidden: f.hidden || e.masked, refs: 1}
	defer func() {
		if err != nil {
			closeFD(c.upper, c.lower, c.white)
		}
	}()
	switch e.at {
	case inMount:
		c.mnt, c.hidden = e.g.mnt, false
		if c.mnt.file != "" {
			return nil, unix.ENOTDIR
		}
		if c.upper, err = dup(c.mnt.dir); err != nil {
			return nil, err
		}
		c.upperDev = c.mnt.dev
	case inUpper:
		if err = f.openSide(&c.upper, &c.upperDev, f.upper, f.upperDev, name); err != nil {
			return nil, err
		}
		if e.merged {
			if err = f.openSide(&c.lower, &c.lowerDev, f.lower, f.lowerDev, name); err != nil {
				return nil, err
			}
		}
	case inLower:
		if err = f.openSide(&c.lower, &c.lowerDev, f.lower, f.lowerDev, name); err != nil {
			return nil, err
		}
	case inNothing:
	default:
		return nil, unix.ENOTDIR
	}
	c.id = f.identity(e)
	c.parent = f.retain()
	c.openWhite()
	if c.mnt.overlay {
		if f.kids == nil {
			f.kids = map[string]*folder{}
		}
		f.kids[name] = c
	}
	return c, nil
}

// identity is what stat reports of an entry as device and inode: the image's
// numbers for as long as the image has part in it.
func (f *folder) identity(e *entry) key {
	switch {
	case e.merged:
		return keyOf(&e.lower)
	case e.at == inUpper && e.isDir() && e.g != nil && !f.hidden && !e.masked:
		return key{virtualDev, e.g.ino} // as before it was made in upper
	case e.at == inUpper && f.mnt.overlay:
		return f.t.identify(&e.st)
	}
	return keyOf(&e.st)
}

// openSide opens one layer of a folder for passing through.
func (f *folder) openSide(fd *int, dev *uint64, dir int, dirDev uint64, name string) error {
	n, err := openPath(dir, name, unix.O_DIRECTORY)
	if err == unix.ENOTDIR || err == unix.ENOENT {
		return unix.EAGAIN // it was a folder a moment ago
	}
	if err != nil {
		return err
	}
	st, err := fstat(n)
	if err == nil {
		err = checkFS(n, uint64(st.Dev), dirDev)
	}
	if err != nil {
		unix.Close(n)
		return err
	}
	*fd, *dev = n, uint64(st.Dev)
	return nil
}

// top is the layer that answers for the folder itself, -1 where none does.
func (f *folder) top() int {
	if f.upper >= 0 {
		return f.upper
	}
	return f.lower
}

// side returns the descriptor and device of the layer that has an entry.
func (f *folder) side(e *entry) (int, uint64) {
	if e.at == inLower {
		return f.lower, f.lowerDev
	}
	return f.upper, f.upperDev
}
