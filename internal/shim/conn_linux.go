package shim

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/containerd/ttrpc"
)

// farewell lets the answer to Shutdown go out before the connections close.
// ttrpc tells of no answer that it was written, so the connections do.
type farewell struct {
	said    atomic.Bool // Shutdown's handler is done
	once    sync.Once
	written chan struct{} // closed at the next answer after that
}

func newFarewell() *farewell { return &farewell{written: make(chan struct{})} }

// Handshake lets in connections of the same user only.
func (f *farewell) Handshake(ctx context.Context, c net.Conn) (net.Conn, any, error) {
	c, cred, err := ttrpc.UnixSocketRequireSameUser().Handshake(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return watchedConn{c, f}, cred, nil
}

type watchedConn struct {
	net.Conn
	f *farewell
}

func (c watchedConn) Write(p []byte) (int, error) {
	// Looked at before, for an answer that was under way already is another's.
	last := c.f.said.Load()
	n, err := c.Conn.Write(p)
	if last {
		c.f.once.Do(func() { close(c.f.written) })
	}
	return n, err
}
