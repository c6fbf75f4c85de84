//go:build linux

package preview1

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"wherry/internal/engine"
	"wherry/internal/wasi/host"
	"wherry/internal/wasi/host/socket"
	"wherry/internal/wasi/host/tree"
)

// Config is what a guest is given.
type Config struct {
	// Args and Env are the program's arguments, its name first, and its
	// environment as NAME=value. With pre-opened listeners LISTEN_FDS is added.
	Args, Env []string
	// Stdin, Stdout and Stderr are descriptors of the process; they are not
	// changed and not closed. A negative one is closed for the guest.
	Stdin, Stdout, Stderr int
	// Root is the guest's "/", its descriptor 3. Nil gives it no files.
	// It stays the caller's to close.
	Root *tree.Tree
	// Net is the guest's network, nil for none at all. It stays the caller's
	// to close.
	Net *socket.Network
}

// ExitError ends a guest that has called proc_exit. It is found with errors.As
// in the error of engine.Instance.Call.
type ExitError struct {
	// Code is what the guest passed. A shell sees only its low eight bits;
	// what becomes of larger ones is the caller's to decide.
	Code uint32
}

// Error tells the code.
func (e *ExitError) Error() string { return "exit status " + strconv.FormatUint(uint64(e.Code), 10) }

// Host serves one guest. Like the guest it is used by one goroutine at a time.
type Host struct {
	args, env stringList
	table     table
	listings  listings
	net       *socket.Network
	resolved  map[*function]*engine.HostFunc

	// Scratch space of calls.
	iov  []unix.Iovec
	poll poller
}

// New makes a guest's host: descriptors 0 to 2 are the standard streams, 3 is
// "/", and from 4 on follow the pre-opened listeners.
func New(c Config) (*Host, error) {
	h := &Host{net: c.Net, resolved: map[*function]*engine.HostFunc{}}
	if h.net == nil {
		none, err := socket.New(socket.Config{})
		if err != nil {
			return nil, err
		}
		h.net = none
	}
	listeners, err := h.net.Preopened()
	if err != nil {
		return nil, err
	}
	env := c.Env
	if len(listeners) > 0 {
		env = append(append([]string(nil), env...), "LISTEN_FDS="+strconv.Itoa(len(listeners)))
	}
	if h.args, err = newStrings("argument", c.Args); err == nil {
		h.env, err = newStrings("environment variable", env)
	}
	if err != nil {
		for _, l := range listeners {
			l.Close()
		}
		return nil, err
	}
	for _, fd := range []int{c.Stdin, c.Stdout, c.Stderr} {
		h.table.slots = append(h.table.slots, newStream(fd))
	}
	root := (*desc)(nil)
	if c.Root != nil {
		root = &desc{dir: c.Root.Root(), rights: rightsDir, inheriting: rightsDirInheriting, preopen: "/"}
	}
	h.table.slots = append(h.table.slots, root)
	for _, l := range listeners {
		h.table.slots = append(h.table.slots, &desc{sock: l, rights: rightsSocket, undecided: true})
	}
	return h, nil
}

// newStream makes the descriptor of a standard stream, nil for a closed one.
func newStream(fd int) *desc {
	if fd < 0 {
		return nil
	}
	s := host.NewStream(fd)
	d := &desc{stream: s, rights: rightsStream}
	if s.Kind() == host.StreamFile || s.Kind() == host.StreamDevice {
		d.rights = rightsSeekableStream
	}
	return d
}

// Close closes what the guest has left open.
func (h *Host) Close() error {
	var errs []error
	for _, d := range h.table.slots {
		if d != nil {
			errs = append(errs, d.close())
		}
	}
	h.table = table{}
	return errors.Join(errs...)
}

// stringList is a list of strings as a guest reads it: each with a NUL behind it.
type stringList struct {
	data    []byte
	offsets []uint32
}

// newStrings lays strings out. One with a NUL inside cannot be told to a guest,
// nor can more than 1 GiB of them.
func newStrings(what string, list []string) (stringList, error) {
	var s stringList
	for _, v := range list {
		if strings.IndexByte(v, 0) >= 0 {
			return stringList{}, fmt.Errorf("%s %q has a NUL byte inside: %w", what, v, errdefs.ErrInvalidArgument)
		}
		s.offsets = append(s.offsets, uint32(len(s.data)))
		s.data = append(append(s.data, v...), 0)
		if len(s.data) > 1<<30 {
			return stringList{}, fmt.Errorf("%ss take more than 1 GiB: %w", what, errdefs.ErrInvalidArgument)
		}
	}
	return s, nil
}
