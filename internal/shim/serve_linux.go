package shim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"time"

	"github.com/containerd/ttrpc"
	"golang.org/x/sys/unix"

	"wherry/internal/sandbox"
	"wherry/internal/shim/early"
)

// socketFD is the listening socket that the start action hands down.
const socketFD = 3

// serve is serveOn for the socket that the start action handed down.
func serve(o options) error {
	f := os.NewFile(socketFD, "shim socket")
	l, err := net.FileListener(f)
	f.Close()
	if err != nil {
		return fmt.Errorf("take over the shim's socket: %w", err)
	}
	return serveOn(o, l, nil)
}

// serveOn serves the task API until everything in it is deleted and Shutdown
// is called, or a signal asks for the end. f is the first container's process
// where that is made already.
func serveOn(o options, l net.Listener, f *first) error {
	sandbox.Name("containerd-shim")
	debug.SetGCPercent(40)
	log, closeLog, err := openLog(o)
	if err != nil {
		return err
	}
	defer closeLog()
	raiseStack(log)
	if f == nil {
		f = standby(o.id)
	}
	defer f.discard(log)

	address := l.Addr().String()
	defer os.Remove(address)

	bye := newFarewell()
	srv, err := ttrpc.NewServer(ttrpc.WithServerHandshaker(bye))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	// A reader of an output pipe, or a terminal, that went away is no reason
	// to end.
	signal.Ignore(unix.SIGPIPE, unix.SIGHUP)

	pub := newPublisher(os.Getenv("TTRPC_ADDRESS"), o.namespace, log)
	svc := newService(o, log, pub, func(id string) *sandbox.Standby { return f.take(id, log) }, func() { bye.said.Store(true); stop() })
	svc.register(srv)

	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background(), l) }()
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	// From here on a new shim may take the address.
	os.Remove(address)
	if bye.said.Load() {
		select {
		case <-bye.written:
		case <-time.After(time.Second):
			log.Warn("whoever asked for the end does not take the answer")
		}
	}
	if err := srv.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		log.Warn("close the connections", "error", err)
	}
	svc.close()
	pub.close()
	if err != nil && !errors.Is(err, ttrpc.ErrServerClosed) {
		return err
	}
	return nil
}

// raiseStack sets the size of stacks that container processes inherit.
func raiseStack(log *slog.Logger) {
	var l unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_STACK, &l)
	if err == nil {
		l.Cur = min(early.StackBytes, l.Max)
		err = unix.Setrlimit(unix.RLIMIT_STACK, &l)
	}
	if err != nil {
		log.Warn("set the size of guests' stacks", "error", err)
	}
}
