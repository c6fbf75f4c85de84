//go:build linux

package socket

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host"
)

// Socket is a socket of a guest.
type Socket struct {
	net    *Network
	family Family // as the guest opened it
	typ    Type

	// fd is the descriptor behind the socket and sysFamily its family, which
	// differs from the guest's where the descriptor was inherited.
	fd        int
	sysFamily Family
	// inherited says that fd shares its state with the parent's descriptor, so
	// that it must not be connected or shut down.
	inherited bool
	// paired says that fd is one end of a socket pair within the guest.
	paired bool

	// local and peer are what the guest believes; the zero value is none.
	local, peer netip.AddrPort
	// registered says that local is in the port table, and counted that the
	// socket is in the network's count.
	registered, counted bool
	state               state
	// shut holds ends that were shut down without the kernel's help.
	shut Ends
	// fault is an error that the next call reports (SO_ERROR).
	fault unix.Errno

	inbox inbox
	// asked are the outside addresses that an unpublished datagram socket has
	// sent to, whose answers are let in; and of a published one those that have
	// sent to it, which get their answers also where they are the host's own.
	// In host mode with a list it is those that have sent to the socket. The
	// value is until when.
	asked map[netip.AddrPort]time.Time

	// NonBlock makes calls answer unix.EAGAIN or unix.EINPROGRESS in place of
	// waiting.
	NonBlock bool
	// Timeouts of waiting calls (SO_RCVTIMEO, SO_SNDTIMEO); 0 is none.
	rcvTimeout, sndTimeout time.Duration
}

// state is how far a socket has come.
type state int

const (
	fresh state = iota
	connecting
	connected
	listening
)

// Ends are the directions of a socket, for Shutdown.
type Ends int

// The directions, which may be added.
const (
	ReadEnd  Ends = 1
	WriteEnd Ends = 2
)

// Family is the address family that the socket was opened with.
func (s *Socket) Family() Family { return s.family }

// Type is the socket's type.
func (s *Socket) Type() Type { return s.typ }

// Listening tells whether the socket accepts connections.
func (s *Socket) Listening() bool { return s.state == listening }

// PollFD is the descriptor to wait on, or -1 where the kernel has nothing to
// say about the socket.
func (s *Socket) PollFD() int {
	if s.state == listening && !s.inherited && s.net.mode == ModePrivate {
		return -1
	}
	return s.fd
}

// Pending tells that the next read of the socket will not wait, whatever its
// descriptor says. What sends within the guest's own network is the guest, so
// this cannot change while the guest waits.
func (s *Socket) Pending() bool {
	return s.fault != 0 || s.shut&ReadEnd != 0 || !s.inbox.empty()
}

// virtual tells whether the guest's view differs from the kernel's.
func (s *Socket) virtual() bool { return s.net.mode == ModePrivate }

// takeFault reports an error once.
func (s *Socket) takeFault() error {
	e := s.fault
	s.fault = 0
	return result(e)
}

// wait waits for the descriptor, for as long as the socket's timeout allows.
// A timeout is unix.EAGAIN, as on Linux.
func (s *Socket) wait(events int16) error {
	timeout := s.rcvTimeout
	if events == unix.POLLOUT {
		timeout = s.sndTimeout
	}
	if timeout == 0 {
		timeout = host.Forever
	}
	fds := [1]unix.PollFd{{Fd: int32(s.PollFD()), Events: events}}
	n, err := host.Poll(fds[:], timeout)
	if err == nil && n == 0 {
		err = unix.EAGAIN
	}
	return err
}

// Close closes the socket. Those who wait to be accepted are hung up on.
func (s *Socket) Close() error {
	if s.registered {
		s.net.ports.release(s)
		s.registered = false
	}
	s.drain()
	s.net.asked -= len(s.asked)
	s.asked = nil
	s.net.uncount(s)
	if s.fd < 0 {
		return nil
	}
	fd := s.fd
	s.fd = -1
	return unix.Close(fd)
}

// Shutdown ends one or both directions (shutdown(2)). Neither an inherited
// listener nor an inherited datagram socket is touched: the guest may want it
// again, and its successor certainly will.
func (s *Socket) Shutdown(e Ends) error {
	if e == 0 || e&^(ReadEnd|WriteEnd) != 0 {
		return unix.EINVAL
	}
	if s.state == listening && (s.inherited || s.virtual()) {
		s.shut |= e
		return nil
	}
	if s.typ == Datagram && (s.inherited || s.virtual()) {
		if s.state != connected {
			return unix.ENOTCONN
		}
		s.shut |= e
		return nil
	}
	return unix.Shutdown(s.fd, int(e)-1) // SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2
}

// Available is how many bytes can be read without waiting.
func (s *Socket) Available() uint64 {
	if len(s.inbox.grams) > 0 {
		return uint64(len(s.inbox.grams[0].data))
	}
	n, err := unix.IoctlGetInt(s.fd, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return uint64(max(n, 0))
}
