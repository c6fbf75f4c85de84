package logfile

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// follow reads on as the log grows and is rotated. It owns r's file.
func follow(ctx context.Context, path string, r *reader, wake <-chan struct{}, o *Options) error {
	defer func() {
		if r.file != nil {
			_ = r.file.Close()
		}
	}()
	var past <-chan time.Time
	if !o.Until.IsZero() {
		t := time.NewTimer(time.Until(o.Until))
		defer t.Stop()
		past = t.C
	}
	for done := false; ; {
		for {
			moved, err := advance(ctx, path, r)
			if err != nil {
				return err
			}
			if !moved {
				break
			}
		}
		if done {
			return r.finish()
		}
		select {
		case <-wake:
		case <-o.Done:
			done = true
		case <-past:
			done = true
		case <-ctx.Done():
			return nil
		}
	}
}

// advance reads what is there, and goes on to the next file where the current
// one was rotated away. It answers whether it did.
func advance(ctx context.Context, path string, r *reader) (bool, error) {
	if r.file == nil {
		// Nothing was there at first: all there is now is new.
		f, err := oldest(path)
		if err != nil || f == nil {
			return false, err
		}
		r.file, r.part, r.started, r.skipping = f, nil, false, false
	}
	if err := r.drain(ctx); err != nil {
		return false, err
	}
	next, err := successor(r.file, path)
	if err != nil || next == nil {
		return false, err
	}
	// The writer has left this file: what it wrote between our last read and
	// its rotation is there now.
	err = r.drain(ctx)
	if err == nil {
		err = r.finish()
	}
	_ = r.file.Close()
	r.file, r.part, r.started, r.skipping = next, nil, false, false
	return true, err
}

// watch tells when something changed in a log's folder.
type watch struct {
	changed chan struct{}
	stop    chan struct{}
	inotify *os.File
}

// pollEvery is how often the log is looked at where the kernel can't tell of
// changes (no inotify left, or a file system without).
const pollEvery = 200 * time.Millisecond

func newWatch(path string) *watch {
	w := &watch{changed: make(chan struct{}, 1), stop: make(chan struct{})}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err == nil {
		_, err = unix.InotifyAddWatch(fd, filepath.Dir(path), unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_MOVED_FROM)
		if err != nil {
			_ = unix.Close(fd)
		}
	}
	if err != nil {
		go w.poll()
		return w
	}
	w.inotify = os.NewFile(uintptr(fd), "inotify")
	go w.listen()
	return w
}

// listen ends when close closes the descriptor.
func (w *watch) listen() {
	buf := make([]byte, 4096)
	for {
		// Which file changed does not matter: readers look for themselves.
		if _, err := w.inotify.Read(buf); err != nil {
			return
		}
		w.signal()
	}
}

func (w *watch) poll() {
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			w.signal()
		case <-w.stop:
			return
		}
	}
}

func (w *watch) signal() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *watch) close() {
	close(w.stop)
	if w.inotify != nil {
		_ = w.inotify.Close()
	}
}
