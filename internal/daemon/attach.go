//go:build linux

package daemon

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"

	"github.com/moby/moby/api/types/events"

	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/logfile"
	"wherry/internal/daemon/record"
	"wherry/internal/shim/bundle"
)

// attacher is a client that attached before the start.
type attacher struct {
	// conn gets the connection to the shim, or is closed where the start came
	// to nothing.
	conn chan net.Conn // of capacity one
}

// connectAttachers connects those who attached before the start. It is called
// when the shim's socket exists and the program has not begun, so that they
// see its first byte.
func (c *ctr) connectAttachers(ctx context.Context, dir string) error {
	c.mu.Lock()
	waiting := c.attachers
	c.attachers = map[*attacher]struct{}{}
	c.mu.Unlock()
	var failed error
	for a := range waiting {
		conn, err := dialAttach(ctx, dir)
		if err != nil {
			failed = err
		} else {
			a.conn <- conn
		}
		close(a.conn)
	}
	return failed
}

// dropAttachers ends the wait of those who attached to a start that came to
// nothing.
func (c *ctr) dropAttachers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for a := range c.attachers {
		close(a.conn)
	}
	c.attachers = map[*attacher]struct{}{}
}

func dialAttach(ctx context.Context, dir string) (net.Conn, error) {
	conn, err := bundle.DialUnix(ctx, filepath.Join(dir, bundle.Attach))
	if err != nil {
		return nil, fmt.Errorf("connect to the container's streams: %w", err)
	}
	return conn, nil
}

// ContainerAttach registers the streams, calls ready, and returns when the
// output ended or the client left. Before the start it waits for the start.
func (d *Daemon) ContainerAttach(ctx context.Context, id string, o AttachOptions, ready func() (Streams, error)) error {
	c, err := d.find(id)
	if err != nil {
		return err
	}
	conn, a, err := c.register(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	s, err := ready()
	if err != nil {
		c.unregister(a)
		return err
	}
	c.emit(events.ActionAttach, nil)
	if o.Logs {
		if err := c.replay(ctx, s); err != nil {
			c.unregister(a)
			return err
		}
	}
	if a != nil {
		select {
		case conn = <-a.conn:
		case <-ctx.Done():
			c.unregister(a)
			return nil
		case <-d.ctx.Done():
			c.unregister(a)
			return fault.New(errUnavailable, "the daemon is closing")
		}
	}
	if conn == nil {
		return nil // only the log was wanted, or the start came to nothing
	}
	return pump(ctx, conn, s)
}

// register takes the streams of the run there is, or a place in the next one.
func (c *ctr) register(ctx context.Context, o AttachOptions) (net.Conn, *attacher, error) {
	if !o.Stream {
		return nil, nil, nil
	}
	c.mu.Lock()
	switch {
	case c.removed || c.rec.Removing:
		c.mu.Unlock()
		return nil, nil, fault.Conflict("container %s is marked for removal", c.id)
	case !c.rec.State.Running():
		a := &attacher{conn: make(chan net.Conn, 1)}
		c.attachers[a] = struct{}{}
		c.mu.Unlock()
		return nil, a, nil
	}
	c.mu.Unlock()
	conn, err := dialAttach(ctx, c.d.bundle(c.id))
	return conn, nil, err
}

// unregister gives the place up, and a connection that came meanwhile.
func (c *ctr) unregister(a *attacher) {
	if a == nil {
		return
	}
	c.mu.Lock()
	delete(c.attachers, a)
	c.mu.Unlock()
	select {
	case conn := <-a.conn:
		if conn != nil {
			_ = conn.Close()
		}
	default:
	}
}

// replay sends the log so far.
func (c *ctr) replay(ctx context.Context, s Streams) error {
	return logfile.Read(ctx, c.d.records.Log(c.id), logfile.Options{Stdout: s.Stdout != nil, Stderr: s.Stderr != nil, Tail: -1},
		func(l logfile.Line) error {
			w := s.Stdout
			if l.Stream == "stderr" {
				w = s.Stderr
			}
			_, err := w.Write(l.Log)
			return err
		})
}

// pump carries the streams until the output ends or the client leaves.
func pump(ctx context.Context, conn net.Conn, s Streams) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if s.Stdin != nil {
		go func() {
			_, err := io.Copy(conn, s.Stdin)
			if err != nil {
				// The client is gone, or asked to be detached: that is not the
				// end of the program's input.
				_ = conn.Close()
				return
			}
			if half, ok := conn.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		}()
	}
	err := demultiplex(conn, s)
	if err != nil && (ctx.Err() != nil || errors.Is(err, net.ErrClosed)) {
		return nil
	}
	return err
}

// maxFrame bounds a frame; the shim's are at most 64 KiB.
const maxFrame = 1 << 24

// demultiplex reads Docker's frames, [stream, 0, 0, 0, length in 4 bytes], and
// gives each stream's bytes to its writer. A nil writer's are dropped.
func demultiplex(r io.Reader, s Streams) error {
	var head [8]byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read the container's output: %w", err)
		}
		size := binary.BigEndian.Uint32(head[4:])
		if size > maxFrame {
			return fmt.Errorf("the container's output is damaged: a frame of %d bytes", size)
		}
		var w io.Writer
		switch head[0] {
		case 1:
			w = s.Stdout
		case 2:
			w = s.Stderr
		default:
			return fmt.Errorf("the container's output is damaged: no stream has number %d", head[0])
		}
		if w == nil {
			w = io.Discard
		}
		if _, err := io.CopyN(w, r, int64(size)); err != nil {
			return fmt.Errorf("pass the container's output on: %w", err)
		}
	}
}

// ContainerResize sets the terminal's size in characters.
func (d *Daemon) ContainerResize(ctx context.Context, id string, height, width uint32) error {
	c, err := d.find(id)
	if err != nil {
		return err
	}
	_, t, err := c.running()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, short)
	defer cancel()
	if err := t.Resize(ctx, height, width); err != nil {
		return fmt.Errorf("resize the terminal of %s: %w", id, err)
	}
	c.emit(events.ActionResize, map[string]string{"height": fmt.Sprint(height), "width": fmt.Sprint(width)})
	return nil
}

// ContainerLogs sends the log's lines in order until its end; with Follow
// until the container has ended, or ctx ends.
func (d *Daemon) ContainerLogs(ctx context.Context, id string, o LogsOptions, send func(LogLine) error) error {
	c, err := d.find(id)
	if err != nil {
		return err
	}
	if !o.Stdout && !o.Stderr {
		return fault.Invalid("You must choose at least one stream")
	}
	rec := c.snapshot()
	if rec.HostConfig.LogConfig.Type == "none" {
		return fault.NotBuilt("configured logging driver does not support reading")
	}
	var done <-chan struct{}
	if o.Follow {
		c.mu.Lock()
		done = c.idle
		c.mu.Unlock()
	}
	return logfile.Read(ctx, d.records.Log(c.id), logfile.Options{
		Stdout: o.Stdout, Stderr: o.Stderr, Tail: o.Tail, Since: o.Since, Until: o.Until, Done: done,
		Damaged: func(path string, offset int64) { d.damaged(rec, o, path, offset, send) },
	}, func(l logfile.Line) error {
		return send(LogLine{Stream: l.Stream, Time: l.Time, Line: l.Log})
	})
}

// damaged tells of bytes of a log that are no entry: to the daemon's own log
// and, where it reads stderr, to the client.
func (d *Daemon) damaged(rec record.Container, o LogsOptions, path string, offset int64, send func(LogLine) error) {
	d.log.Warn("a damaged line of a log is skipped", "container", rec.ID, "file", path, "offset", offset)
	if !o.Stderr {
		return
	}
	_ = send(LogLine{Stream: "stderr", Time: d.clock.Now(), // a client that left is noticed at the next line
		Line: fmt.Appendf(nil, "wherry: a damaged line of the log is skipped (%s, byte %d)\n", filepath.Base(path), offset)})
}
