//go:build linux

package host

import (
	"time"

	"golang.org/x/sys/unix"
)

// StreamKind is what a standard stream turned out to be.
type StreamKind int

// The kinds of stream.
const (
	StreamOther    StreamKind = iota // a pipe, or what has no name here
	StreamTerminal                   // a terminal
	StreamDevice                     // a character device that is no terminal
	StreamFile                       // a regular file
	StreamSocket                     // a connected socket
)

// pipeAtomic is the most that a pipe which polls as writable takes without
// blocking: PIPE_BUF, pipe(7).
const pipeAtomic = 4096

// Stream is a standard stream: a descriptor that Wherry shares with others, so
// that its flags are not ours to change (O_NONBLOCK set on one process's stdin
// is set on all). Reading and writing behave as NonBlock says, whatever the
// descriptor's own flag is.
type Stream struct {
	fd   int
	kind StreamKind
	// NonBlock makes Read and Write answer unix.EAGAIN in place of waiting.
	NonBlock bool
}

// NewStream looks at a descriptor, which stays the caller's to close. A
// negative descriptor is a stream that is closed from the start.
func NewStream(fd int) *Stream {
	s := &Stream{fd: fd}
	var st unix.Stat_t
	if fd < 0 || unix.Fstat(fd, &st) != nil {
		return s
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		s.kind = StreamFile
	case unix.S_IFSOCK:
		s.kind = StreamSocket
	case unix.S_IFCHR:
		s.kind = StreamDevice
		if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
			s.kind = StreamTerminal
		}
	}
	return s
}

// Kind tells what the stream is.
func (s *Stream) Kind() StreamKind { return s.kind }

// FD is the descriptor, for polling and for stat.
func (s *Stream) FD() int { return s.fd }

// Read reads into the buffers. It gives 0 at the end of the stream.
func (s *Stream) Read(v []unix.Iovec) (int, error) {
	if s.NonBlock && s.kind != StreamFile {
		if ok, err := s.ready(unix.POLLIN, 0); !ok {
			return 0, err
		}
	}
	for {
		n, err := Readv(s.fd, v)
		if err != unix.EAGAIN || s.NonBlock {
			return n, err
		}
		if _, err := s.ready(unix.POLLIN, Forever); err != nil {
			return 0, err
		}
	}
}

// Write writes the buffers, all of them where the stream waits, and tells how
// many bytes went out.
func (s *Stream) Write(v []unix.Iovec) (int, error) {
	if s.NonBlock && s.kind != StreamFile {
		if ok, err := s.ready(unix.POLLOUT, 0); !ok {
			return 0, err
		}
		v = Limit(v, pipeAtomic)
	}
	done := 0
	for {
		n, err := Writev(s.fd, v)
		done += max(n, 0)
		v = Advance(v, max(n, 0))
		switch {
		case err == unix.EAGAIN && !s.NonBlock:
			if _, err := s.ready(unix.POLLOUT, Forever); err != nil {
				return done, err
			}
		case err != nil && done > 0:
			return done, nil
		case err != nil, len(v) == 0, s.NonBlock, n == 0:
			return done, err
		}
	}
}

// ready waits for events until the timeout. ok false comes with unix.EAGAIN, or
// with what poll failed with.
func (s *Stream) ready(events int16, timeout time.Duration) (ok bool, err error) {
	fds := [1]unix.PollFd{{Fd: int32(s.fd), Events: events}}
	n, err := Poll(fds[:], timeout)
	if err != nil {
		return false, err
	}
	if n == 0 {
		return false, unix.EAGAIN
	}
	return true, nil
}
