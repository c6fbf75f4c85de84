package stream

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

func pipeFDs() (fds [2]int, err error) {
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return fds, fmt.Errorf("make a pipe: %w", err)
	}
	return fds, nil
}

// pipe makes a pipe whose reading end is for this program's poller and whose
// writing end blocks, as guests expect of their standard streams.
func pipe() (r, w *os.File, err error) {
	fds, err := pipeFDs()
	if err != nil {
		return nil, nil, err
	}
	return pollable(fds[0], "output"), os.NewFile(uintptr(fds[1]), "output"), nil
}

// pollable makes a file of a descriptor that is this program's alone.
func pollable(fd int, name string) *os.File {
	// NewFile looks at the flag. Where it cannot be set the file blocks a
	// thread, no more.
	_ = unix.SetNonblock(fd, true)
	return os.NewFile(uintptr(fd), name)
}

// openPollable opens a pipe of containerd's at both ends, or a file to append
// to, for this program.
func openPollable(path string) (*os.File, error) {
	fifo, err := isFIFO(path)
	if err != nil {
		return nil, err
	}
	if !fifo {
		return openFile(path, os.O_WRONLY|os.O_APPEND)
	}
	return openFile(path, unix.O_RDWR|unix.O_NONBLOCK)
}

// openDirect gives the guest containerd's pipes and files themselves. They are
// also kept open here at both ends, as containerd's runc shim keeps them, so
// that the guest neither blocks nor fails while their other user is away.
func (s *Streams) openDirect() error {
	if err := s.openOutputs(); err != nil {
		return err
	}
	if s.cfg.Stdin == "" {
		return nil
	}
	hold, err := openFile(s.cfg.Stdin, unix.O_RDWR|unix.O_NONBLOCK)
	if err != nil {
		return err
	}
	s.stdin = hold
	// With a writer there, opening for reading does not wait for one.
	s.guest[0], err = openFile(s.cfg.Stdin, os.O_RDONLY)
	return err
}

func (s *Streams) openOutputs() error {
	u, err := url.Parse(s.cfg.Stdout)
	if err != nil {
		return fmt.Errorf("the URL of the output: %w", err)
	}
	stdout, stderr := s.cfg.Stdout, s.cfg.Stderr
	switch u.Scheme {
	case "", "fifo":
		if u.Scheme != "" {
			stdout = u.Path
		}
	case "file":
		// One file takes both, as with containerd's runc shim.
		if err := os.MkdirAll(filepath.Dir(u.Path), 0o755); err != nil {
			return err
		}
		f, err := openFile(u.Path, os.O_WRONLY|os.O_APPEND|os.O_CREATE)
		if err != nil {
			return err
		}
		return s.giveBoth(f)
	case "binary":
		return s.openLogger(u)
	default:
		return fmt.Errorf("the output %q has a scheme that is not known: wanted a path, file:// or binary://", s.cfg.Stdout)
	}
	for i, path := range []string{stdout, stderr} {
		if path == "" {
			continue
		}
		if i == 1 && path == stdout {
			s.guest[2] = s.guest[1]
			continue
		}
		if err := s.openOutput(1+i, path); err != nil {
			return err
		}
	}
	return nil
}

// openOutput opens the pipe or file of stream i for the guest.
func (s *Streams) openOutput(i int, path string) error {
	fifo, err := isFIFO(path)
	if err != nil {
		return err
	}
	if fifo {
		hold, err := openFile(path, unix.O_RDWR|unix.O_NONBLOCK)
		if err != nil {
			return err
		}
		s.keep = append(s.keep, hold)
		s.direct = hold
	}
	if s.guest[i], err = openFile(path, os.O_WRONLY|os.O_APPEND); err != nil || fifo {
		return err
	}
	return s.keepCopy(s.guest[i])
}

// giveBoth gives the guest one file for output and errors.
func (s *Streams) giveBoth(f *os.File) error {
	s.guest[1], s.guest[2] = f, f
	return s.keepCopy(f)
}

// keepCopy keeps a descriptor of the guest's output for Warn.
func (s *Streams) keepCopy(f *os.File) error {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("keep the output: %w", err)
	}
	s.direct = os.NewFile(uintptr(fd), f.Name())
	s.keep = append(s.keep, s.direct)
	return nil
}

func isFIFO(path string) (bool, error) {
	st, err := os.Stat(path)
	if err != nil {
		return false, fmt.Errorf("open a stream of the container: %w", err)
	}
	return st.Mode()&os.ModeNamedPipe != 0, nil
}

// openFile opens a stream's pipe or file. It does not use the poller unless
// the flags ask for it, so that what the guest inherits blocks.
func openFile(path string, flags int) (*os.File, error) {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NOCTTY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open a stream of the container: %w", &os.PathError{Op: "open", Path: path, Err: err})
	}
	return os.NewFile(uintptr(fd), path), nil
}
