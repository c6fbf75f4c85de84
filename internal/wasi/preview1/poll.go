//go:build linux

package preview1

import (
	"encoding/binary"
	"math"
	"time"

	"golang.org/x/sys/unix"
	"wherry/internal/wasi/host"
)

// Layout of subscriptions and events (typenames.witx).
const (
	subscriptionSize = 48
	eventSize        = 32
	eventClock       = 0
	eventRead        = 1
	eventWrite       = 2
	eventHangup      = 1
	clockAbsolute    = 1
)

// maxSubscriptions bounds a poll_oneoff: more than two for each descriptor that
// the table can hold make no sense.
const maxSubscriptions = 2*maxDescriptors + 16

// writableBytes is how much a descriptor that polls as writable is said to
// take: what Linux promises of a pipe (PIPE_BUF), and less than it does of a
// socket.
const writableBytes = 4096

// poller is the scratch space of poll_oneoff.
type poller struct {
	turn uint64
	subs []subscription
	fds  []unix.PollFd
}

// subscription is one subscription, read once: the guest's lists may overlap.
type subscription struct {
	userdata uint64
	kind     byte
	failed   errno
	// ready says that there is nothing to wait for.
	ready bool
	d     *desc
	// slot is the descriptor's place in fds, -1 where the kernel is not asked.
	slot int
	// due is when a clock's time comes, on the monotonic clock.
	due uint64
}

// pollOneoff: (*subscriptions, *events, count, *n).
func (h *Host) pollOneoff(m memory, a args) errno {
	count := a.u32(2)
	if count == 0 || count > maxSubscriptions {
		return errInval
	}
	in, inside := m.array(a.u32(0), count, subscriptionSize)
	if !inside {
		return errFault
	}
	out, inside := m.array(a.u32(1), count, eventSize)
	if !inside {
		return errFault
	}
	if _, inside := m.bytes(a.u32(3), 4); !inside {
		return errFault
	}
	p := &h.poll
	p.turn++
	p.subs, p.fds = p.subs[:0], p.fds[:0]
	now, err := host.Now(host.Monotonic)
	if err != nil {
		return toErrno(err)
	}
	immediate, first := false, uint64(math.MaxUint64)
	for ; len(in) > 0; in = in[subscriptionSize:] {
		s := subscription{userdata: binary.LittleEndian.Uint64(in), kind: in[8], slot: -1}
		switch s.kind {
		case eventClock:
			s.readClock(in[16:], now)
			first = min(first, s.due)
		case eventRead, eventWrite:
			h.subscribe(&s, binary.LittleEndian.Uint32(in[16:]))
		default:
			return errInval
		}
		immediate = immediate || s.ready || s.failed != ok
		p.subs = append(p.subs, s)
	}
	timeout := host.Forever
	switch {
	case immediate || first <= now:
		timeout = 0
	case first != math.MaxUint64:
		timeout = time.Duration(min(first-now, math.MaxInt64))
	}
	if _, err := host.Poll(p.fds, timeout); err != nil {
		return toErrno(err)
	}
	if now, err = host.Now(host.Monotonic); err != nil {
		return toErrno(err)
	}
	return m.putU32(a.u32(3), p.events(out, now))
}

// readClock reads a subscription_clock.
func (s *subscription) readClock(b []byte, now uint64) {
	clock := host.Clock(binary.LittleEndian.Uint32(b))
	timeout, flags := binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint16(b[24:])
	at, err := host.Now(clock)
	if err != nil || flags&^clockAbsolute != 0 {
		s.failed, s.due = errInval, now
		return
	}
	if flags&clockAbsolute != 0 {
		// The CPU clocks stand still while a guest waits. What is left of them
		// is waited for as if they did not, so that a poll ends.
		timeout = timeout - min(timeout, at)
	}
	if s.due = now + timeout; s.due < now {
		s.due = math.MaxUint64
	}
}

// subscribe enters a descriptor in the list to wait on.
func (h *Host) subscribe(s *subscription, fd uint32) {
	d, e := h.get(fd, rightPollFdReadwrite)
	if e != ok {
		s.failed = e
		return
	}
	s.d = d
	raw := -1
	switch {
	case d.sock != nil:
		s.ready = s.kind == eventRead && d.sock.Pending()
		raw = d.sock.PollFD()
	case d.stream != nil && d.stream.Kind() != host.StreamFile:
		raw = d.stream.FD()
	default:
		s.ready = true // files never make one wait
		return
	}
	if raw < 0 {
		return
	}
	if d.turn != h.poll.turn {
		d.turn, d.poll = h.poll.turn, len(h.poll.fds)
		h.poll.fds = append(h.poll.fds, unix.PollFd{Fd: int32(raw)})
	}
	s.slot = d.poll
	if s.kind == eventRead {
		h.poll.fds[s.slot].Events |= unix.POLLIN
	} else {
		h.poll.fds[s.slot].Events |= unix.POLLOUT
	}
}

// events writes what has happened, and tells how many events that is.
func (p *poller) events(out []byte, now uint64) uint32 {
	n := uint32(0)
	for i := range p.subs {
		s := &p.subs[i]
		var bytes uint64
		var flags uint16
		happened := s.ready || s.failed != ok || s.kind == eventClock && s.due <= now
		if s.slot >= 0 {
			got := p.fds[s.slot].Revents
			want := int16(unix.POLLIN | unix.POLLERR | unix.POLLHUP | unix.POLLNVAL)
			if s.kind == eventWrite {
				want = unix.POLLOUT | unix.POLLERR | unix.POLLHUP | unix.POLLNVAL
			}
			happened = happened || got&want != 0
			if got&unix.POLLHUP != 0 {
				flags = eventHangup
			}
			if got&unix.POLLNVAL != 0 {
				s.failed = errBadf
			}
		}
		if !happened {
			continue
		}
		if s.d != nil && s.failed == ok {
			bytes = s.d.available(s.kind)
		}
		b := out[n*eventSize:][:eventSize]
		clear(b)
		binary.LittleEndian.PutUint64(b, s.userdata)
		binary.LittleEndian.PutUint16(b[8:], uint16(s.failed))
		b[10] = s.kind
		binary.LittleEndian.PutUint64(b[16:], bytes)
		binary.LittleEndian.PutUint16(b[24:], flags)
		n++
	}
	return n
}

// available is how many bytes can be moved without waiting, as far as the
// kernel tells cheaply; a listener with a connection counts as 1.
func (d *desc) available(kind byte) uint64 {
	if kind == eventWrite {
		return writableBytes
	}
	switch {
	case d.sock != nil && d.sock.Listening():
		return 1
	case d.sock != nil:
		return d.sock.Available()
	case d.file != nil:
		return remaining(d.file.FD())
	case d.stream != nil && d.stream.Kind() == host.StreamFile:
		return remaining(d.stream.FD())
	case d.stream != nil:
		n, err := unix.IoctlGetInt(d.stream.FD(), unix.TIOCINQ)
		if err != nil {
			return 0
		}
		return uint64(max(n, 0))
	}
	return 0
}

// remaining is how many bytes of a file lie behind its position.
func remaining(fd int) uint64 {
	var st unix.Stat_t
	position, err := unix.Seek(fd, 0, unix.SEEK_CUR)
	if err != nil || unix.Fstat(fd, &st) != nil || st.Size < position {
		return 0
	}
	return uint64(st.Size - position)
}
