//go:build linux

package daemon

import (
	"context"
	"fmt"
	"strconv"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/sys/signal"
	"golang.org/x/sys/unix"

	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/record"
)

// defaultStop is how long a stop waits before SIGKILL, in seconds.
const defaultStop = 10

// ContainerStop ends a container: its stop signal, then SIGKILL after the
// timeout. One that does not run is errdefs.ErrNotModified.
func (d *Daemon) ContainerStop(ctx context.Context, id string, o StopOptions) error {
	c, err := d.find(id)
	if err != nil {
		return err
	}
	if !c.snapshot().State.Live() && !c.isStarting() {
		return fault.New(errNotModified, "container %s is already stopped", c.id)
	}
	if err := c.stop(ctx, o); err != nil {
		return fmt.Errorf("cannot stop container: %s: %w", id, err)
	}
	return nil
}

// ContainerRestart stops a container that runs, and starts it.
func (d *Daemon) ContainerRestart(ctx context.Context, id string, o StopOptions) error {
	c, err := d.find(id)
	if err != nil {
		return err
	}
	rec := c.snapshot()
	if rec.State.Live() || c.isStarting() {
		c.setKeep(true) // the end of this run removes no --rm container
		err := c.stop(ctx, o)
		c.setKeep(false)
		if err != nil {
			return fmt.Errorf("cannot restart container %s: %w", id, err)
		}
	}
	if err := c.start(d.ctx, true); err != nil && !errdefs.IsNotModified(err) {
		return fmt.Errorf("cannot restart container %s: %w", id, err)
	}
	c.emit(events.ActionRestart, nil)
	return nil
}

func (c *ctr) setKeep(keep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep = keep
}

func (c *ctr) isStarting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.starting
}

// stop ends a run, a start in progress, or the wait before a restart.
func (c *ctr) stop(ctx context.Context, o StopOptions) error {
	rec := c.snapshot()
	sig, err := stopSignal(rec, o.Signal)
	if err != nil {
		return err
	}
	var force <-chan time.Time
	if timeout := stopTimeout(rec, o.Timeout); timeout >= 0 {
		force = c.d.clock.After(timeout)
	}
	// More than one round is needed only where a start was in progress and
	// won.
	for ended := c.interrupt(sig); ended != nil; ended = c.interrupt(sig) {
		if err := c.awaitEnd(ctx, ended, force); err != nil {
			return err
		}
		if !c.snapshot().State.Live() {
			break
		}
	}
	c.emit(events.ActionStop, nil)
	return nil
}

// awaitEnd waits for the end of a run that was sent a signal, and kills it
// when force fires or the client leaves.
func (c *ctr) awaitEnd(ctx context.Context, ended <-chan struct{}, force <-chan time.Time) error {
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		// The client left, and with it its patience.
		c.interrupt(unix.SIGKILL)
		return ctx.Err()
	case <-force:
	}
	c.interrupt(unix.SIGKILL)
	// SIGKILL cannot fail; if the process hangs in the kernel, its end is
	// still awaited, as long as the client waits.
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// interrupt sends a signal to what there is: a process, a start in progress,
// or a plan to restart, which it ends. It holds the restart policy back. It
// answers the channel that is closed when the run's end was handled, nil where
// nothing is left to end.
func (c *ctr) interrupt(sig syscall.Signal) <-chan struct{} {
	c.mu.Lock()
	t, ended := c.task, c.ended
	planned := c.rec.State.Status == container.StateRestarting
	paused := c.rec.State.Status == container.StatePaused
	starting := c.starting
	c.rec.ManuallyStopped = true
	if starting {
		c.aborted = true
	}
	c.cancelPlan()
	c.mu.Unlock()
	c.change(func(r *record.Container) {
		if planned && !starting && r.State.Status == container.StateRestarting {
			r.State.Status = container.StateExited
		}
	})
	if t == nil && !starting {
		if planned {
			c.wake(false)
		}
		return nil
	}
	if t != nil {
		c.signal(t, sig, paused)
	}
	if ended == nil { // a start is in progress, and ends itself
		return c.quiet()
	}
	return ended
}

// quiet is closed when what holds op now has let go of it.
func (c *ctr) quiet() <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		c.op.Lock()
		defer c.op.Unlock()
		close(gone)
	}()
	return gone
}

// signal sends a signal that ends the container.
func (c *ctr) signal(t task, sig syscall.Signal, paused bool) {
	ctx, cancel := context.WithTimeout(context.Background(), short)
	defer cancel()
	// Told before it is sent: the end that it brings is told by somebody else,
	// and comes after it in every list.
	c.emit(events.ActionKill, map[string]string{"signal": strconv.Itoa(int(sig))})
	if err := t.Kill(ctx, uint32(sig)); err != nil && !errdefs.IsNotFound(err) && !errdefs.IsUnavailable(err) {
		// Both of those mean that it has ended already.
		c.d.log.Warn("a signal did not reach the container", "container", c.id, "signal", int(sig), "error", err)
	}
	if paused {
		// A stopped process dies of SIGKILL all the same; other signals it
		// would get only when it goes on.
		if err := t.Resume(ctx); err == nil {
			c.change(func(r *record.Container) {
				if r.State.Status == container.StatePaused {
					r.State.Status = container.StateRunning
				}
			})
		}
	}
}

// ContainerKill sends a signal, SIGKILL by default. A container that does not
// run is errdefs.ErrConflict.
func (d *Daemon) ContainerKill(_ context.Context, id, name string) error {
	sig := syscall.Signal(unix.SIGKILL)
	if name != "" {
		var err error
		if sig, err = signal.ParseSignal(name); err != nil {
			return fault.Invalid("%w", err)
		}
	}
	c, err := d.find(id)
	if err != nil {
		return err
	}
	rec := c.snapshot()
	if !rec.State.Live() && !c.isStarting() {
		return fault.Conflict("cannot kill container: %s: container %s is not running", id, c.id)
	}
	if !ends(sig) {
		_, t, err := c.running()
		if err != nil {
			return fault.Conflict("cannot kill container: %s: %w", id, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), short)
		defer cancel()
		if err := t.Kill(ctx, uint32(sig)); err != nil {
			return fmt.Errorf("cannot kill container: %s: %w", id, err)
		}
		c.emit(events.ActionKill, map[string]string{"signal": strconv.Itoa(int(sig))})
		return nil
	}
	ended := c.interrupt(sig)
	if sig == unix.SIGKILL && ended != nil {
		<-ended // Docker's kill, too, answers when the container is gone
	}
	return nil
}

// ends tells whether a signal ends a guest: WASI has no handlers, so what
// signal(7) says of the default holds.
func ends(sig syscall.Signal) bool {
	switch sig {
	case 0, unix.SIGCHLD, unix.SIGURG, unix.SIGWINCH, unix.SIGCONT, unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		return false
	}
	return true
}

func stopSignal(rec record.Container, asked string) (syscall.Signal, error) {
	for _, s := range []string{asked, rec.Config.StopSignal} {
		if s == "" {
			continue
		}
		sig, err := signal.ParseSignal(s)
		if err != nil {
			return 0, fault.Invalid("%w", err)
		}
		return sig, nil
	}
	return unix.SIGTERM, nil
}

// stopTimeout is how long to wait before SIGKILL; negative is without end.
func stopTimeout(rec record.Container, asked *int) time.Duration {
	seconds := defaultStop
	if rec.Config.StopTimeout != nil {
		seconds = *rec.Config.StopTimeout
	}
	if asked != nil {
		seconds = *asked
	}
	return time.Duration(seconds) * time.Second
}
