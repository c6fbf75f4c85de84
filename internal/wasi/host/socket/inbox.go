//go:build linux

package socket

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Bounds of what waits in a socket of the guest's own network.
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
}

// call is a connection that waits to be accepted: one end of a socket pair.
type call struct {
	fd          int
	local, peer netip.AddrPort // as the accepting side sees them
}

// gram is a datagram.
type gram struct {
	from netip.AddrPort
	data []byte
}

func (b *inbox) empty() bool { return len(b.calls) == 0 && len(b.grams) == 0 }

func (b *inbox) full() bool { return len(b.calls) >= maxCalls || len(b.grams) >= maxGrams }

func (b *inbox) takeCall() (call, bool) {
	if len(b.calls) == 0 {
		return call{}, false
	}
	c := b.calls[0]
	b.calls = b.calls[1:]
	return c, true
}

// takeGram gives the oldest datagram, and forgets it unless peek.
func (b *inbox) takeGram(peek bool) (gram, bool) {
	if len(b.grams) == 0 {
		return gram{}, false
	}
	g := b.grams[0]
	if !peek {
		b.grams = b.grams[1:]
	}
	return g, true
}

// drain drops all of it.
func (b *inbox) drain() {
	for _, c := range b.calls {
		unix.Close(c.fd)
	}
	*b = inbox{}
}
