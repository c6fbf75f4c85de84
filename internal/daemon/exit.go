//go:build linux

package daemon

import (
	"context"
	"errors"
	"io/fs"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	"wherry/internal/daemon/durable"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/restart"
	"wherry/internal/shim/bundle"
)

// follow waits for the end of a run and handles it.
func (c *ctr) follow(t task, dir string) {
	checks, enough := context.WithCancel(c.d.ctx)
	defer enough()
	c.watchHealth(checks)
	for {
		exit, err := t.Wait(c.d.ctx)
		if c.d.ctx.Err() != nil {
			return // the daemon closes; the container goes on
		}
		if err == nil {
			enough()
			c.finished(t, dir, exit)
			return
		}
		c.d.log.Warn("the shim's connection broke", "container", c.id, "error", err)
		_ = t.Close()
		next, exit, alive := c.d.reconnect(c.id, dir)
		if !alive {
			enough()
			c.finished(nil, dir, exit)
			return
		}
		t = next
		c.mu.Lock()
		c.task = t
		c.mu.Unlock()
	}
}

// reconnect finds out what became of a container whose shim does not answer:
// the shim is there after all, or its remains are ended and the exit status is
// what it left, 137 otherwise.
func (d *Daemon) reconnect(id, dir string) (t task, exit bundle.ExitStatus, alive bool) {
	ctx, cancel := context.WithTimeout(context.Background(), short)
	defer cancel()
	if t, err := d.shims.Connect(ctx, id, dir); err == nil {
		st, err := t.State(ctx)
		if err == nil {
			if st.Status != taskStopped {
				return t, exit, true
			}
			d.endShim(id, t)
			return nil, st.Exit, false
		}
		_ = t.Close()
	}
	return nil, d.bury(ctx, id, dir), false
}

// bury ends the remains of a container whose shim is dead.
func (d *Daemon) bury(ctx context.Context, id, dir string) bundle.ExitStatus {
	exit, err := d.shims.Delete(ctx, id, dir)
	if err != nil {
		d.log.Warn("a dead shim's remains are not cleaned up", "container", id, "error", err)
		exit = bundle.ExitStatus{Code: 137, Reason: "the shim died"}
	}
	// What the shim wrote before it died is truer than what its program could
	// find out afterwards.
	var left bundle.ExitStatus
	switch err := bundle.Read(dir, bundle.Exit, &left); {
	case err == nil:
		exit = left
	case !errors.Is(err, fs.ErrNotExist):
		d.log.Warn("a container's exit status is damaged", "container", id, "error", err)
	}
	if exit.ExitedAt.IsZero() {
		exit.ExitedAt = d.clock.Now()
	}
	return exit
}

// endShim lets the shim of an ended container go.
func (d *Daemon) endShim(id string, t task) {
	ctx, cancel := context.WithTimeout(context.Background(), short)
	defer cancel()
	err := t.Delete(ctx)
	err = errors.Join(err, t.Shutdown(ctx), t.Close())
	if err != nil {
		d.log.Debug("the shim of an ended container", "container", id, "error", err)
	}
}

// finished handles the end of a run: the shim goes, the state is told, and the
// restart policy is asked. t is nil where the shim is gone.
func (c *ctr) finished(t task, dir string, exit bundle.ExitStatus) {
	c.op.Lock()
	defer c.op.Unlock()
	if t != nil {
		c.d.endShim(c.id, t)
	}
	c.mu.Lock()
	c.task = nil
	ended := c.ended
	c.ended = nil
	c.mu.Unlock()
	c.settle(exit, true)
	// Only now: until the record had it, the exit status was there alone.
	if err := durable.RemoveAll(dir); err != nil {
		c.d.log.Warn("a bundle is not removed", "bundle", dir, "error", err)
	}
	if ended != nil {
		close(ended)
	}
}

// settle notes an end and asks the restart policy, unless again is false. The
// caller holds op.
func (c *ctr) settle(exit bundle.ExitStatus, again bool) {
	if exit.ExitedAt.IsZero() {
		exit.ExitedAt = c.d.clock.Now()
	}
	before := c.snapshot()
	c.mu.Lock()
	keep := c.keep
	pause, wanted := c.backoff.Next(before.HostConfig.RestartPolicy, restart.Exit{
		Code: exit.Code, Ran: exit.ExitedAt.Sub(before.State.StartedAt),
		Stopped: before.ManuallyStopped, Count: before.RestartCount,
	})
	c.mu.Unlock()
	again = again && wanted && !before.Removing
	remove := !again && before.HostConfig.AutoRemove && !before.Removing && !keep
	c.change(func(r *record.Container) {
		r.Removing = r.Removing || remove
		r.State = record.State{
			Status: container.StateExited, ExitCode: exit.Code, Error: exit.Reason, OOMKilled: exit.OutOfMemory,
			StartedAt: r.State.StartedAt, FinishedAt: exit.ExitedAt.UTC(),
		}
		r.Ports = nil
		if again {
			r.State.Status = container.StateRestarting
			r.RestartCount++
		}
	})
	ran := int(exit.ExitedAt.Sub(before.State.StartedAt).Seconds())
	if exit.OutOfMemory {
		c.emit(events.ActionOOM, nil)
	}
	c.emit(events.ActionDie, map[string]string{"exitCode": strconv.Itoa(exit.Code), "execDuration": strconv.Itoa(max(ran, 0))})
	c.wake(false)
	switch {
	case again:
		c.plan(pause)
	case remove:
		if err := c.removeLocked(true); err != nil {
			c.d.log.Error("the container is not removed", "container", c.id, "error", err)
		}
	}
}

// plan starts the container again after a pause, unless someone ends the plan.
func (c *ctr) plan(pause time.Duration) {
	ctx, cancel := context.WithCancel(c.d.ctx)
	c.mu.Lock()
	c.unplan = cancel
	c.mu.Unlock()
	fire := c.d.clock.After(pause)
	c.d.spawn(func() {
		defer cancel()
		select {
		case <-ctx.Done():
			return
		case <-fire:
		}
		c.op.Lock()
		defer c.op.Unlock()
		if ctx.Err() != nil || c.snapshot().State.Status != container.StateRestarting {
			return
		}
		if err := c.startLocked(c.d.ctx, false); err != nil && c.d.ctx.Err() == nil {
			c.startAgainFailed(err)
		}
	})
}

// startAgainFailed goes on with the policy where a restart itself failed, say
// because the port is taken for the moment. The caller holds op.
func (c *ctr) startAgainFailed(err error) {
	rec := c.snapshot()
	if errors.Is(err, errAborted) || rec.ManuallyStopped || rec.Removing {
		return
	}
	c.mu.Lock()
	pause, again := c.backoff.Next(rec.HostConfig.RestartPolicy, restart.Exit{Code: rec.State.ExitCode, Count: rec.RestartCount})
	c.mu.Unlock()
	if !again {
		return
	}
	c.change(func(r *record.Container) {
		r.State.Status = container.StateRestarting
		r.RestartCount++
	})
	c.plan(pause)
}

// cancelPlan ends the wait before a restart. The caller holds mu.
func (c *ctr) cancelPlan() {
	if c.unplan != nil {
		c.unplan()
		c.unplan = nil
	}
}
