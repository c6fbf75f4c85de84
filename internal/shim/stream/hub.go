//go:build linux

package stream

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// Stream is one of a guest's output streams, in the numbers of Docker's
// multiplexed frames.
type Stream byte

// The output streams.
const (
	Stdout Stream = 1
	Stderr Stream = 2
)

// String gives the name that logs use.
func (s Stream) String() string {
	if s == Stderr {
		return "stderr"
	}
	return "stdout"
}

const (
	// maxQueue is how much output waits for a slow client before the guest has
	// to, in bytes.
	maxQueue = 4 << 20
	// maxFrame bounds a client's frame, in bytes.
	maxFrame = 64 << 10
)

// hub sends output to attached clients, each at its own pace.
//
// A slow client gets up to maxQueue bytes of delay. Beyond that the guest's
// output waits for it, as it does in Docker: an attached client is promised
// everything from its first byte on, so the other choices are to break that
// promise or to take memory without end. The log is written first and does not
// wait. Once the guest is dead nothing waits any more: what is left is no more
// than its pipes held.
type hub struct {
	mu      sync.Mutex
	changed *sync.Cond // a queue changed, a client left, or a flag was set
	clients map[*client]struct{}
	// unbounded is set when the guest is dead: nothing waits for clients.
	unbounded bool
	// ended is set when no more output will come.
	ended bool
}

// client is an attached client.
type client struct {
	conn *net.UnixConn
	// Guarded by hub.mu:
	queue net.Buffers
	size  int // bytes in queue, and those being written
	gone  bool
}

func newHub() *hub {
	h := &hub{clients: make(map[*client]struct{})}
	h.changed = sync.NewCond(&h.mu)
	return h
}

// add attaches a client and sends it all that is written from now on.
func (h *hub) add(conn *net.UnixConn) *client {
	c := &client{conn: conn}
	h.mu.Lock()
	h.clients[c] = struct{}{}
	h.mu.Unlock()
	go h.serve(c)
	return c
}

// write hands output to every client.
func (h *hub) write(s Stream, p []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.clients) == 0 {
		return
	}
	frame := make([]byte, 8+len(p))
	frame[0] = byte(s)
	binary.BigEndian.PutUint32(frame[4:], uint32(len(p)))
	copy(frame[8:], p)
	// Whoever comes while this waits for a slow client gets only later output.
	for _, c := range h.list() {
		for c.size >= maxQueue && !c.gone && !h.unbounded {
			h.changed.Wait()
		}
		if !c.gone {
			c.queue = append(c.queue, frame)
			c.size += len(frame)
		}
	}
	h.changed.Broadcast()
}

// list copies the set of clients. h.mu is held.
func (h *hub) list() []*client {
	list := make([]*client, 0, len(h.clients))
	for c := range h.clients {
		list = append(list, c)
	}
	return list
}

// serve writes a client's queue until it leaves, or all is written and no more
// will come.
func (h *hub) serve(c *client) {
	for {
		h.mu.Lock()
		for len(c.queue) == 0 && !h.ended && !c.gone {
			h.changed.Wait()
		}
		batch, size := c.queue, c.size
		c.queue = nil
		gone := c.gone
		h.mu.Unlock()
		if gone || len(batch) == 0 {
			h.remove(c)
			return
		}
		_, err := batch.WriteTo(c.conn)
		h.mu.Lock()
		c.size -= size
		c.gone = c.gone || err != nil
		h.changed.Broadcast()
		h.mu.Unlock()
	}
}

// remove detaches a client.
func (h *hub) remove(c *client) {
	h.mu.Lock()
	c.gone = true
	delete(h.clients, c)
	h.changed.Broadcast()
	h.mu.Unlock()
	c.conn.Close()
}

// release ends waiting for slow clients: the guest is dead.
func (h *hub) release() {
	h.mu.Lock()
	h.unbounded = true
	h.changed.Broadcast()
	h.mu.Unlock()
}

// end lets clients go once they have everything: no more output will come.
func (h *hub) end() {
	h.mu.Lock()
	h.unbounded, h.ended = true, true
	h.changed.Broadcast()
	h.mu.Unlock()
}

// flush waits until every client has what was written, but no longer than idle
// without any of them taking something. It tells whether nothing is left.
func (h *hub) flush(idle time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	expired := false
	t := time.AfterFunc(idle, func() {
		h.mu.Lock()
		expired = true
		h.changed.Broadcast()
		h.mu.Unlock()
	})
	defer t.Stop()
	left := h.left()
	for left > 0 && !expired {
		h.changed.Wait()
		if now := h.left(); now < left {
			left = now
			t.Reset(idle)
		}
	}
	return left == 0
}

// left counts the bytes that clients have not taken. h.mu is held.
func (h *hub) left() int {
	n := 0
	for c := range h.clients {
		n += c.size + 1
	}
	return n
}

// leave gives up a client whose connection broke.
func (h *hub) leave(c *client) {
	h.mu.Lock()
	c.gone = true
	h.changed.Broadcast()
	h.mu.Unlock()
	// A write to it that is under way fails.
	c.conn.Close()
}
