//go:build linux

package preview1

import (
	"wherry/internal/wasi/host"
	"wherry/internal/wasi/host/socket"
	"wherry/internal/wasi/host/tree"
)

// Descriptor flags (typenames.witx, fdflags).
const (
	flagAppend   uint16 = 1 << 0
	flagDSync    uint16 = 1 << 1
	flagNonBlock uint16 = 1 << 2
	flagRSync    uint16 = 1 << 3
	flagSync     uint16 = 1 << 4
	flagsAll            = flagAppend | flagDSync | flagNonBlock | flagRSync | flagSync
)

// maxDescriptors bounds the table; the kernel's own limit is met earlier by
// whatever has a descriptor behind it.
const maxDescriptors = 1 << 16

// desc is an open descriptor: exactly one of stream, file, dir and sock is set.
type desc struct {
	stream *host.Stream
	file   *tree.File
	dir    *tree.Dir
	sock   *socket.Socket

	rights, inheriting uint64
	flags              uint16
	// bounded says that the file lies where space is rationed, so that it must
	// be asked for before writing.
	bounded bool
	// preopen is the name of a directory that the guest starts with.
	preopen string
	// undecided is a pre-opened listener that the guest has neither looked at
	// nor changed. See desc.decide.
	undecided bool
	// entries is the directory as it was when it was last read from its start,
	// nil where that was too long ago; see listings.
	entries []tree.Entry

	// poll is the descriptor's place in the list of the poll numbered turn.
	poll int
	turn uint64
}

func (d *desc) close() error {
	switch {
	case d.file != nil:
		return d.file.Close()
	case d.dir != nil:
		return d.dir.Close()
	case d.sock != nil:
		return d.sock.Close()
	}
	return nil // a standard stream's descriptor belongs to the process
}

// table is the guest's descriptors. New ones take the lowest free number.
type table struct {
	slots []*desc
	free  int // no slot below it is free
}

// get gives a descriptor, or nil.
func (t *table) get(fd uint32) *desc {
	if uint64(fd) >= uint64(len(t.slots)) {
		return nil
	}
	return t.slots[fd]
}

// add enters a descriptor. Where the table is full it closes it and answers
// errMfile.
func (t *table) add(d *desc) (uint32, errno) {
	for t.free < len(t.slots) && t.slots[t.free] != nil {
		t.free++
	}
	if t.free >= maxDescriptors {
		if err := d.close(); err != nil {
			return 0, toErrno(err)
		}
		return 0, errMfile
	}
	if t.free == len(t.slots) {
		t.slots = append(t.slots, nil)
	}
	t.slots[t.free] = d
	return uint32(t.free), ok
}

// remove takes a descriptor out, without closing it.
func (t *table) remove(fd uint32) {
	t.slots[fd] = nil
	t.free = min(t.free, int(fd))
}

// decide settles whether a pre-opened listener waits. Go's os.NewFile asks for
// a descriptor's flags and serves by polling only where it finds it
// non-blocking (and would stand still with all its goroutines otherwise), while
// Rust's and C's accept loops do not ask and expect to wait. So the listener
// waits until somebody looks, and is then what wasmtime's --tcplisten makes:
// non-blocking.
func (d *desc) decide() {
	if d.undecided {
		d.undecided = false
		d.flags |= flagNonBlock
		d.sock.NonBlock = true
	}
}
