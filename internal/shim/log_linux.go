package shim

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"wherry/internal/shim/bundle"
)

// openLog opens the shim's own log: the pipe that containerd made in the
// bundle, or a file there. Libraries that log by logrus go the same way.
func openLog(o options) (*slog.Logger, func(), error) {
	f, err := openLogFile()
	if err != nil {
		return nil, nil, fmt.Errorf("open the shim's log: %w", err)
	}
	level := slog.LevelInfo
	if o.debug {
		level = slog.LevelDebug
	}
	w := lossy{f}
	logrus.SetOutput(w)
	h := slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
	return slog.New(h).With("runtime", Name, "id", o.id), func() { f.Close() }, nil
}

func openLogFile() (*os.File, error) {
	if st, err := os.Lstat(bundle.Log); err == nil && st.Mode()&os.ModeNamedPipe != 0 {
		// For reading too, so that it opens without a reader and outlives one.
		fd, err := unix.Open(bundle.Log, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		if err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(fd), bundle.Log), nil
	}
	return os.OpenFile(bundle.LogFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
}

// lossy writes what fits at once: a full log pipe that nobody reads must not
// stop a shim.
type lossy struct{ f *os.File }

var _ io.Writer = lossy{}

func (l lossy) Write(p []byte) (int, error) {
	c, err := l.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var werr error
	if err := c.Control(func(fd uintptr) { _, werr = unix.Write(int(fd), p) }); err != nil {
		return 0, err
	}
	if werr != nil && werr != unix.EAGAIN {
		return 0, werr
	}
	return len(p), nil
}
