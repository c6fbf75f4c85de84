package stream

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/containerd/console"
	"golang.org/x/sys/unix"
)

// Config says where a container's streams lead. Either Stdin, Stdout and
// Stderr are set, by containerd, or Log and Attach, by the embedded engine.
type Config struct {
	// Terminal gives the guest a pseudo terminal; its output is all stdout.
	Terminal bool

	// Stdin, Stdout and Stderr are containerd's: the path of a pipe or a file,
	// or a URL file://PATH or binary://PROGRAM?KEY=VALUE. Empty is nothing.
	Stdin, Stdout, Stderr string
	// ID and Namespace are told to a logger of a binary:// URL.
	ID, Namespace string

	// Log is the container's log, closed with the streams; nil for none.
	Log *JSONLog
	// Attach is the path of the socket for clients; empty for none.
	Attach string
	// StdinOpen lets attached clients write the guest's input; StdinOnce ends
	// it when the first of them ends his.
	StdinOpen, StdinOnce bool

	Logger *slog.Logger
}

// lastWords is how long clients and pipes may take nothing, after the guest's
// end, before the end is told nevertheless.
const lastWords = 2 * time.Second

// Streams are the open streams of one container.
type Streams struct {
	cfg    Config
	guest  [3]*os.File // the guest's ends, until Started
	keep   []*os.File  // its outputs, held open here too until Drain
	direct *os.File    // the one of keep where Warn writes; nil where pumps run
	sinks  []*os.File  // containerd's pipes that a terminal is copied to
	pty    console.Console
	logger *logger // of a binary:// URL
	hub    *hub
	server *attachServer
	pumps  sync.WaitGroup

	stdin *os.File // what keeps the guest's input open; nil for none
}

// Open opens a container's streams.
func Open(cfg Config) (_ *Streams, err error) {
	s := &Streams{cfg: cfg, hub: newHub()}
	defer func() {
		if err != nil {
			s.Started()
			s.Close()
		}
	}()
	switch {
	case cfg.Terminal:
		err = s.openTerminal()
	case cfg.Log != nil || cfg.Attach != "":
		err = s.openPipes()
	default:
		err = s.openDirect()
	}
	if err != nil {
		return nil, err
	}
	if cfg.Attach != "" {
		if s.server, err = serveAttach(cfg.Attach, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Guest gives the guest's ends: standard input, output and error. nil is
// nothing (/dev/null).
func (s *Streams) Guest() (stdin, stdout, stderr *os.File) {
	return s.guest[0], s.guest[1], s.guest[2]
}

// Started is called once the guest's process has its ends, or never will: the
// streams then end when the guest does.
func (s *Streams) Started() {
	for i, f := range s.guest {
		if f != nil && (i == 0 || f != s.guest[i-1]) {
			f.Close()
		}
	}
	s.guest = [3]*os.File{}
}

// Sync returns when every client that has connected so far is attached.
func (s *Streams) Sync(ctx context.Context) error {
	if s.server == nil {
		return nil
	}
	return s.server.sync(ctx)
}

// openPipes makes pipes that are copied to the log and to attached clients.
func (s *Streams) openPipes() error {
	for i, stream := range []Stream{Stdout, Stderr} {
		r, w, err := pipe()
		if err != nil {
			return err
		}
		s.guest[1+i] = w
		s.pump(stream, r)
	}
	if !s.cfg.StdinOpen && !s.cfg.StdinOnce {
		return nil
	}
	fds, err := pipeFDs()
	if err != nil {
		return err
	}
	s.guest[0] = os.NewFile(uintptr(fds[0]), "stdin")
	s.stdin = pollable(fds[1], "stdin")
	return nil
}

// openTerminal makes a pseudo terminal, copied likewise or to containerd's
// pipes.
func (s *Streams) openTerminal() error {
	pty, name, err := console.NewPty()
	if err != nil {
		return fmt.Errorf("make a terminal: %w", err)
	}
	s.pty = pty
	slave, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return fmt.Errorf("make a terminal: %w", err)
	}
	s.guest = [3]*os.File{slave, slave, slave}
	if s.cfg.Stdout != "" {
		f, err := openPollable(s.cfg.Stdout)
		if err != nil {
			return err
		}
		s.sinks = append(s.sinks, f)
	}
	s.pump(Stdout, pty)
	if s.cfg.Stdin != "" {
		f, err := openPollable(s.cfg.Stdin)
		if err != nil {
			return err
		}
		s.stdin = f
		go io.Copy(pty, f) // ends when Close closes either
	}
	return nil
}

// pump copies a source to wherever output goes, until it ends.
func (s *Streams) pump(stream Stream, src io.ReadCloser) {
	s.pumps.Add(1)
	go func() {
		defer s.pumps.Done()
		defer src.Close()
		for buf := make([]byte, maxFrame); ; {
			n, err := src.Read(buf)
			if n > 0 {
				s.emit(stream, buf[:n])
			}
			if err != nil {
				// io.EOF, and EIO of a terminal that nobody has open.
				return
			}
		}
	}()
}

// emit sends output on: to the log first, so that it is there whatever becomes
// of the rest.
func (s *Streams) emit(stream Stream, p []byte) {
	if s.cfg.Log != nil {
		if err := s.cfg.Log.Write(stream, p); err != nil {
			s.warn("lines of the container's log were lost", err)
		}
	}
	for _, f := range s.sinks {
		if _, err := f.Write(p); err != nil {
			s.warn("write the container's output", err)
		}
	}
	s.hub.write(stream, p)
}

// Warn adds a line of the shim's own to the container's standard error. The
// text has no newline.
func (s *Streams) Warn(text string) {
	line := []byte(text + "\n")
	switch {
	case s.direct != nil:
		if _, err := s.direct.Write(line); err != nil {
			s.warn("write the container's output", err)
		}
	case s.pty != nil:
		s.emit(Stdout, append(line[:len(line)-1], '\r', '\n'))
	default:
		s.emit(Stderr, line)
	}
}

func (s *Streams) warn(what string, err error) {
	s.cfg.Logger.Warn(what, "error", err)
}

func (s *Streams) closeOutputs() {
	s.direct = nil
	for _, f := range append(s.keep, s.sinks...) {
		f.Close()
	}
	s.keep, s.sinks = nil, nil
}

// CloseStdin ends the guest's input. A terminal's has no end.
func (s *Streams) CloseStdin() {
	if s.stdin != nil && s.pty == nil {
		// Closing it twice is no harm.
		_ = s.stdin.Close()
	}
}

// Resize sets a terminal's size in characters.
func (s *Streams) Resize(width, height uint16) error {
	if s.pty == nil {
		return nil
	}
	return s.pty.Resize(console.WinSize{Width: width, Height: height})
}

// Drain is called when the guest's process is dead. It returns when all output
// is in the log and with the attached clients, or with those at least that
// still take some.
func (s *Streams) Drain() {
	s.hub.release()
	deadline := time.Now().Add(lastWords)
	for _, f := range s.sinks {
		// Where it has no deadlines it is a file and does not block.
		_ = f.SetWriteDeadline(deadline)
	}
	s.pumps.Wait()
	if s.cfg.Log != nil {
		if err := s.cfg.Log.Close(); err != nil {
			s.warn("close the container's log", err)
		}
	}
	s.hub.end()
	s.hub.flush(lastWords)
	// Whoever reads the outputs sees their end now.
	s.closeOutputs()
	if s.logger != nil {
		s.logger.wait(lastWords)
	}
}

// Close gives everything back but attached clients that have not taken all
// yet; see Linger.
func (s *Streams) Close() {
	if s.server != nil {
		s.server.close()
	}
	if s.stdin != nil {
		_ = s.stdin.Close()
	}
	s.hub.end()
	s.closeOutputs()
	if s.pty != nil {
		s.pty.Close()
	}
}

// Linger waits for attached clients to take what is left, as long as one of
// them takes something within each idle period.
func (s *Streams) Linger(idle time.Duration) { s.hub.flush(idle) }
