//go:build linux

package stream

import (
	"bytes"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// join adds a client to a hub and gives the other end of its connection.
func join(t *testing.T, h *hub) *net.UnixConn {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "client")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = c.(*net.UnixConn)
	}
	t.Cleanup(func() { conns[1].Close() })
	h.add(conns[0])
	return conns[1]
}

func TestHubFrames(t *testing.T) {
	h := newHub()
	one := join(t, h)
	h.write(Stdout, []byte("out"))
	two := join(t, h)
	h.write(Stderr, []byte("err"))
	h.end()
	for _, c := range []struct {
		conn *net.UnixConn
		want string
	}{
		{one, "\x01\x00\x00\x00\x00\x00\x00\x03out\x02\x00\x00\x00\x00\x00\x00\x03err"},
		{two, "\x02\x00\x00\x00\x00\x00\x00\x03err"},
	} {
		got, err := io.ReadAll(c.conn)
		if err != nil || string(got) != c.want {
			t.Errorf("a client got %q, %v; want %q", got, err, c.want)
		}
	}
	if !h.flush(time.Minute) {
		t.Error("something is left")
	}
}

// A slow client delays the guest only when its queue is full, and not when the
// guest is dead.
func TestHubWaitsForSlowClients(t *testing.T) {
	h := newHub()
	slow := join(t, h)
	chunk := make([]byte, maxFrame)
	var sent int
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		// Twice what queue and socket hold.
		for range 2 * maxQueue / maxFrame {
			h.write(Stdout, chunk)
			sent += len(chunk)
		}
	}()
	h.mu.Lock()
	for h.left() < maxQueue {
		h.changed.Wait()
	}
	h.mu.Unlock()
	select {
	case <-wrote:
		t.Fatal("the guest was not delayed")
	default:
	}
	if h.flush(time.Millisecond) {
		t.Error("flush says that nothing is left")
	}
	h.release()
	<-wrote
	h.end()
	n, err := io.Copy(io.Discard, slow)
	if want := int64(sent + 8*sent/maxFrame); err != nil || n != want {
		t.Errorf("the slow client got %d bytes, %v; want %d", n, err, want)
	}
}

func TestHubForgetsClientsThatLeft(t *testing.T) {
	h := newHub()
	gone := join(t, h)
	stays := join(t, h)
	gone.Close()
	// The guest is not held up, however much it writes.
	chunk := bytes.Repeat([]byte("x"), maxFrame)
	go io.Copy(io.Discard, stays)
	for range 2 * maxQueue / maxFrame {
		h.write(Stdout, chunk)
	}
	h.mu.Lock()
	n := len(h.clients)
	h.mu.Unlock()
	if n != 1 {
		t.Errorf("%d clients are left, want 1", n)
	}
	h.end()
}
