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
	fd, err := openLogFile()
	if err != nil {
		return nil, nil, fmt.Errorf("open the shim's log: %w", err)
	}
	// A panic's last words go there too.
	if err := unix.Dup3(fd, 2, 0); err != nil {
		return nil, nil, fmt.Errorf("open the shim's log: %w", err)
	}
	f := os.NewFile(uintptr(fd), bundle.Log)
	level := slog.LevelInfo
	if o.debug {
		level = slog.LevelDebug
	}
	w := lossy{f}
	logrus.SetOutput(w)
	h := slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
	return slog.New(h).With("runtime", Name, "id", o.id), func() { f.Close() }, nil
}

func openLogFile() (fd int, err error) {
	if st, err := os.Lstat(bundle.Log); err == nil && st.Mode()&os.ModeNamedPipe != 0 {
		// For reading too, so that it opens without a reader and outlives one.
		return unix.Open(bundle.Log, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	}
	return unix.Open(bundle.LogFile, unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
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
