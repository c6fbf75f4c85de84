package stream

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"time"
)

// logger is a program that takes a container's output, named by a binary://
// URL (containerd cmd/containerd-shim-runc-v2/process/io.go, and
// core/runtime/v2/logging): descriptors 3 and 4 are output and errors, and it
// closes descriptor 5 when it is ready.
type logger struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// openLogger starts a logger and gives the guest pipes to it.
func (s *Streams) openLogger(u *url.URL) error {
	var args []string
	for k, vs := range u.Query() {
		args = append(args, k)
		if len(vs) > 0 && vs[0] != "" {
			args = append(args, vs[0])
		}
	}
	cmd := exec.Command(u.Path, args...)
	cmd.Env = append(os.Environ(), "CONTAINER_ID="+s.cfg.ID, "CONTAINER_NAMESPACE="+s.cfg.Namespace)
	for i := range 2 {
		fds, err := pipeFDs()
		if err != nil {
			return err
		}
		r := os.NewFile(uintptr(fds[0]), "output")
		defer r.Close()
		s.guest[1+i] = os.NewFile(uintptr(fds[1]), "output")
		cmd.ExtraFiles = append(cmd.ExtraFiles, r)
	}
	ready, theirs, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start the logger %s: %w", u.Path, err)
	}
	defer ready.Close()
	cmd.ExtraFiles = append(cmd.ExtraFiles, theirs)
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return fmt.Errorf("start the logger %s: %w", u.Path, err)
	}
	s.logger = &logger{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(s.logger.done)
		if err := cmd.Wait(); err != nil {
			s.warn("the container's logger ended", err)
		}
	}()
	if _, err := ready.Read(make([]byte, 1)); err != nil && err != io.EOF {
		return fmt.Errorf("wait for the logger %s: %w", u.Path, err)
	}
	return s.keepCopy(s.guest[2])
}

// wait lets the logger finish what it was given.
func (l *logger) wait(limit time.Duration) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-l.done:
	case <-t.C:
		// It may go on by itself: it has all output, and its input has ended.
	}
}
