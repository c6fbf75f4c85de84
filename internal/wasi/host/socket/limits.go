//go:build linux

package socket

// Bounds of what one guest's network takes. Beside them stand RLIMIT_NOFILE and
// the kernel's own bounds of socket buffers.
const (
	// maxSockets is how many sockets may be open at once.
	maxSockets = 16384
	// maxWaiting is how many connections of the guest to itself may wait to be
	// accepted, over all listeners.
	maxWaiting = 1024
	// maxQueued is how many bytes of datagrams of the guest to itself may wait
	// to be read, over all sockets; and maxQueuedEach in one of them.
	maxQueued     = 16 << 20
	maxQueuedEach = 1 << 20
	// maxAskedAll is how many peers of datagrams are kept, over all sockets.
	maxAskedAll = 1 << 16
)

// Spare buffers of datagrams that the guest sends to itself.
const (
	maxSpare     = 16
	maxSpareSize = 2048
)

// limits counts what a guest's network takes.
type limits struct {
	sockets int
	waiting int
	queued  int
	asked   int
	spare   [][]byte
}

// count enters a new socket.
func (n *Network) count(s *Socket) *Socket {
	n.sockets++
	s.counted = true
	return s
}

// uncount forgets a socket that is closed, once.
func (n *Network) uncount(s *Socket) {
	if s.counted {
		n.sockets--
		s.counted = false
	}
}

// buffer gives an empty buffer for a datagram.
func (n *Network) buffer(size int) []byte {
	if last := len(n.spare) - 1; last >= 0 && size <= maxSpareSize {
		b := n.spare[last]
		n.spare = n.spare[:last]
		return b[:0]
	}
	if size <= maxSpareSize {
		size = maxSpareSize
	}
	return make([]byte, 0, size)
}

// recycle takes a buffer back.
func (n *Network) recycle(b []byte) {
	if cap(b) == maxSpareSize && len(n.spare) < maxSpare {
		n.spare = append(n.spare, b)
	}
}
