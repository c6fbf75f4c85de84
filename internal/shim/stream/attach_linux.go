package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"wherry/internal/shim/bundle"
)

// attachServer takes clients on the attach socket.
type attachServer struct {
	listener *net.UnixListener
	path     string
	streams  *Streams
	done     chan struct{}

	syncing sync.Mutex // held by sync
	// came gets a word when a connection of our own arrived.
	came chan struct{}
}

// serveAttach listens on the attach socket at path.
func serveAttach(path string, s *Streams) (*attachServer, error) {
	l, err := bundle.ListenUnix(path)
	if err != nil {
		return nil, err
	}
	a := &attachServer{listener: l, path: path, streams: s, done: make(chan struct{}), came: make(chan struct{}, 1)}
	go a.accept()
	return a, nil
}

func (a *attachServer) accept() {
	defer close(a.done)
	for {
		conn, err := a.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			a.streams.warn("accept an attached client", err)
			continue
		}
		peer, err := peerOf(conn)
		switch {
		case err != nil:
			a.streams.warn("accept an attached client", err)
			conn.Close()
		case int(peer.Pid) == os.Getpid():
			conn.Close()
			a.came <- struct{}{}
		case peer.Uid != 0 && int(peer.Uid) != os.Geteuid():
			a.streams.warn("accept an attached client", fmt.Errorf("user %d may not attach", peer.Uid))
			conn.Close()
		default:
			a.streams.attach(conn)
		}
	}
}

// sync returns when every client whose connect has succeeded is attached. The
// kernel hands connections over in their order, so one of our own tells that
// all before it have been taken.
func (a *attachServer) sync(ctx context.Context) error {
	a.syncing.Lock()
	defer a.syncing.Unlock()
	conn, err := bundle.DialUnix(ctx, a.path)
	if err != nil {
		return err
	}
	defer conn.Close()
	select {
	case <-a.came:
		return nil
	case <-a.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *attachServer) close() {
	a.listener.Close()
	<-a.done
	os.Remove(a.path)
}

// peerOf gives who connected.
func peerOf(conn *net.UnixConn) (*unix.Ucred, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	return cred, credErr
}

// attach adds a client: output to it, and what it writes to the guest.
func (s *Streams) attach(conn *net.UnixConn) {
	c := s.hub.add(conn)
	go func() {
		sink := io.Discard
		switch {
		case s.pty != nil && s.cfg.StdinOpen:
			sink = s.pty
		case s.stdin != nil:
			sink = s.stdin
		}
		_, err := io.Copy(sink, conn)
		if errors.Is(err, unix.EPIPE) || errors.Is(err, os.ErrClosed) {
			// The guest takes no more input; the client still gets output.
			_, err = io.Copy(io.Discard, conn)
		}
		if s.cfg.StdinOnce {
			s.CloseStdin()
		}
		if err != nil {
			s.hub.leave(c)
		}
	}()
}
