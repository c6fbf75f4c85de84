//go:build linux

package tree

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Tree is an open tree. Its methods, and those of its nodes, may be called
// from several threads. Several trees may be open on one upper level (a copy
// into a running container); what one adds, the others see.
//
// A reader of the joined files, such as an export, needs nothing but Root and
// Dir's Entries, StatAt, Readlink and Open.
type Tree struct {
	mu         sync.Mutex
	plain      bool // the image tree cannot hold working devices
	user       user
	foreign    bool // the image's "/" is not the user's own
	root       *folder
	upper      *upper // nil where there is none
	upperPath  string
	grafts     *graft
	mounts     []*mounted
	defaults   []*defFile
	devDir     int // the host's /dev, or -1
	virtualIno uint64
	origin     map[key]key // see identify
	born       unix.Timespec
	scratch    []func() error // what goes away with the tree
	closed     bool
}

// Root opens "/". The caller closes it.
func (t *Tree) Root() *Dir {
	t.mu.Lock()
	defer t.mu.Unlock()
	return &Dir{t: t, f: t.root.retain()}
}

// Close gives back what the tree holds. Nodes opened from it stay usable until
// they are closed; the last one takes the tree's descriptors with it.
func (t *Tree) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return unix.EBADF
	}
	t.closed = true
	t.root.release()
	return nil
}

// dispose runs when nothing of the tree is open any more.
func (t *Tree) dispose() {
	for _, m := range t.mounts {
		closeFD(m.dir)
	}
	for _, d := range t.defaults {
		closeFD(d.dir)
	}
	for _, f := range t.scratch {
		f() // a folder that cannot be removed now is cleared at the next start
	}
	closeFD(t.devDir)
	t.upper.close()
}

// virtualDir is the stat of a folder that no layer has.
func (t *Tree) virtualDir(ino uint64) unix.Stat_t {
	st := unix.Stat_t{Mode: unix.S_IFDIR | 0o755, Ino: ino, Nlink: 2, Atim: t.born, Mtim: t.born, Ctim: t.born}
	st.Dev = virtualDev
	return st
}

// Dir is an open directory.
type Dir struct {
	t *Tree
	f *folder // nil once closed
}

// begin locks the tree for an operation on the directory.
func (d *Dir) begin() (*folder, error) {
	if d.t == nil {
		return nil, unix.EBADF
	}
	d.t.mu.Lock()
	if d.f == nil {
		d.t.mu.Unlock()
		return nil, unix.EBADF
	}
	return d.f, nil
}

// Close gives the directory back.
func (d *Dir) Close() error {
	f, err := d.begin()
	if err != nil {
		return err
	}
	defer d.t.mu.Unlock()
	d.f = nil
	f.release()
	return nil
}

func now() unix.Timespec { return unix.NsecToTimespec(time.Now().UnixNano()) }
