//go:build linux

package socket

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Bounds of what waits in one socket of the guest's own network; limits.go has
// those of all together.
const (
	maxCalls    = 128
	maxGrams    = 256
	maxGramSize = 65507 // the largest UDP payload over IPv4
)

// inbox holds what the guest has sent to a socket of its own: calls to a
// listener, or datagrams.
type inbox struct {
	calls []call
	grams []gram
	bytes int // that the buffers of grams take
}

// call is a connection that waits to be accepted: one end of a socket pair.
type call struct {
	fd          int
	local, peer netip.AddrPort // as the accepting side sees them
}

// gram is a datagram. Its data lies in a buffer of the Network.
type gram struct {
	from netip.AddrPort
	data []byte
}

func (b *inbox) empty() bool { return len(b.calls) == 0 && len(b.grams) == 0 }

// addCall enters a connection, and tells whether there was room.
func (s *Socket) addCall(c call) bool {
	if len(s.inbox.calls) >= maxCalls || s.net.waiting >= maxWaiting {
		return false
	}
	s.inbox.calls = append(s.inbox.calls, c)
	s.net.waiting++
	return true
}

func (s *Socket) takeCall() (call, bool) {
	if len(s.inbox.calls) == 0 {
		return call{}, false
	}
	c := s.inbox.calls[0]
	s.inbox.calls = s.inbox.calls[:copy(s.inbox.calls, s.inbox.calls[1:])]
	s.net.waiting--
	return c, true
}

// addGram copies a datagram in, unless too much waits already.
func (s *Socket) addGram(from netip.AddrPort, v []unix.Iovec, size int) {
	if len(s.inbox.grams) >= maxGrams || s.inbox.bytes+size > maxQueuedEach || s.net.queued+size > maxQueued {
		return
	}
	data := gather(s.net.buffer(size), v)
	s.inbox.bytes += cap(data)
	s.net.queued += cap(data)
	s.inbox.grams = append(s.inbox.grams, gram{from, data})
}

// takeGram moves the oldest datagram into buffers, and forgets it unless peek.
func (s *Socket) takeGram(v []unix.Iovec, peek bool) (Received, bool) {
	if len(s.inbox.grams) == 0 {
		return Received{}, false
	}
	g := s.inbox.grams[0]
	n := scatter(v, g.data)
	got := Received{N: n, From: g.from, Truncated: n < len(g.data)}
	if !peek {
		last := copy(s.inbox.grams, s.inbox.grams[1:])
		s.inbox.grams[last] = gram{}
		s.inbox.grams = s.inbox.grams[:last]
		s.forget(g)
	}
	return got, true
}

func (s *Socket) forget(g gram) {
	s.inbox.bytes -= cap(g.data)
	s.net.queued -= cap(g.data)
	s.net.recycle(g.data)
}

// drain drops all that waits.
func (s *Socket) drain() {
	for _, c := range s.inbox.calls {
		unix.Close(c.fd)
		s.net.waiting--
	}
	for _, g := range s.inbox.grams {
		s.forget(g)
	}
	s.inbox = inbox{}
}
