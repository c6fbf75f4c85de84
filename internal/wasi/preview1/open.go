//go:build linux

package preview1

import (
	"math"

	"wherry/internal/wasi/host/tree"
)

// Open flags (typenames.witx, oflags).
const (
	openCreat     = 1
	openDirectory = 2
	openExcl      = 4
	openTrunc     = 8
)

// pathOpen: (fd, lookup, path, len, oflags, base, inheriting, fdflags, *fd).
//
// The rights that a guest asks for decide whether it can read and write what it
// opens; the harmless ones it gets without asking, as with wasmtime, since many
// programs ask for too few. It gets none that the directory does not pass on; what
// a directory passes on shrinks only by fd_fdstat_set_rights.
func (h *Host) pathOpen(m memory, a args) errno {
	d, path, e := h.at(m, rightPathOpen, a.u32(0), a.u32(2), a.u32(3))
	if e != ok {
		return e
	}
	if _, inside := m.bytes(a.u32(8), 4); !inside {
		return errFault
	}
	follow, e := lookup(a.u32(1))
	if e != ok {
		return e
	}
	oflags, fdflags, base := a.u32(4), a.u32(7), a.u64(5)
	if oflags&^15 != 0 || fdflags&^uint32(flagsAll) != 0 || oflags&openCreat != 0 && oflags&openDirectory != 0 {
		return errInval
	}
	if e := d.need(openRights(oflags)); e != ok {
		return e
	}
	base &= d.inheriting
	f := tree.OpenFlags{
		Follow:    follow,
		Create:    oflags&openCreat != 0,
		Directory: oflags&openDirectory != 0,
		Exclusive: oflags&openExcl != 0,
		Truncate:  oflags&openTrunc != 0,
		Append:    uint16(fdflags)&flagAppend != 0,
		NonBlock:  uint16(fdflags)&flagNonBlock != 0,
		Sync:      uint16(fdflags)&(flagSync|flagRSync) != 0,
		DSync:     uint16(fdflags)&flagDSync != 0,
	}
	// Go asks for the right to set the size also where it only reads; taken for
	// writing, that would fail below read-only mounts and copy an image's file.
	f.Write = base&rightFdWrite != 0 || f.Truncate
	f.Read = base&(rightFdRead|rightFdReaddir) != 0 || !f.Write
	node, err := d.dir.Open(path, f)
	if err != nil {
		return toErrno(err)
	}
	return h.opened(m, a, d, node, f.Write)
}

// openRights are the rights to a directory that opening something in it takes.
func openRights(oflags uint32) uint64 {
	var need uint64
	if oflags&openCreat != 0 {
		need |= rightPathCreateFile
	}
	if oflags&openTrunc != 0 {
		need |= rightPathFilestatSetSize
	}
	return need
}

// opened enters what path_open has opened in the table.
func (h *Host) opened(m memory, a args, parent *desc, node tree.Node, writing bool) errno {
	base := a.u64(5)
	d := &desc{flags: uint16(a.u32(7))}
	switch n := node.(type) {
	case *tree.Dir:
		d.dir = n
		d.rights = rightsDir & parent.inheriting
		d.inheriting = parent.inheriting
		d.flags &= flagNonBlock
	case *tree.File:
		d.file = n
		d.rights = rightsAnyFile & parent.inheriting
		if base&rightFdRead != 0 {
			d.rights |= rightFdRead & parent.inheriting
		}
		if writing && base&rightsWriting != 0 {
			d.bounded = n.Room(math.MaxInt64) != nil
			d.rights |= (rightsWriting&base | rightFdAllocate | rightFdFilestatSetSize) & parent.inheriting
		}
	}
	fd, e := h.table.add(d)
	if e != ok {
		return e
	}
	return m.putU32(a.u32(8), fd)
}
