//go:build linux

package daemon

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/restart"
)

// ctr is a container of this daemon.
type ctr struct {
	d  *Daemon
	id string

	// op is held by what changes the container's life: a start, the handling
	// of its end, a removal. It may be held long (a start compiles). Whoever
	// holds it may take mu; never the other way round.
	op sync.Mutex

	// mu guards what follows; it is never held across a call to a shim.
	mu  sync.Mutex
	rec record.Container // maps and pointers in it are replaced, not changed
	// task is there from a shim's start until its end was handled.
	task task
	// ended is closed when the current run's end was handled; nil before the
	// first run.
	ended chan struct{}
	// idle is closed while no process exists and none is about to: those who
	// follow the log stop then.
	idle chan struct{}
	// unplan ends the wait before a restart by policy.
	unplan  context.CancelFunc
	backoff restart.Backoff
	// health is what the health check found, replaced and not changed; nil where
	// none has begun.
	health  *container.Health
	waiters map[*waiter]struct{}
	// attachers wait for the next start.
	attachers map[*attacher]struct{}
	// starting tells that a start is between its shim's start and its success.
	starting bool
	// aborted tells that someone ended it while it was starting.
	aborted bool
	// keep holds --rm back: the container is being restarted.
	keep    bool
	removed bool
}

func (d *Daemon) newCtr(rec *record.Container) *ctr {
	c := &ctr{
		d: d, id: rec.ID, rec: *rec, idle: make(chan struct{}),
		waiters: map[*waiter]struct{}{}, attachers: map[*attacher]struct{}{},
	}
	close(c.idle)
	return c
}

// snapshot is the record as it is now.
func (c *ctr) snapshot() record.Container {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rec
}

// change edits the record and writes it. A record that could not be written is
// logged, not returned, where the change has happened anyway: after a crash
// the shim is asked.
func (c *ctr) change(edit func(*record.Container)) {
	if err := c.tryChange(edit); err != nil {
		c.d.log.Error("the container's state is not saved", "container", c.id, "error", err)
	}
}

// tryChange edits the record and writes it. On error the edit stays.
func (c *ctr) tryChange(edit func(*record.Container)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	edit(&c.rec)
	c.noteIdle()
	if c.removed {
		return nil
	}
	return c.d.records.Save(&c.rec)
}

// noteIdle makes idle tell the state. The caller holds mu.
func (c *ctr) noteIdle() {
	closed := false
	select {
	case <-c.idle:
		closed = true
	default:
	}
	switch live := c.rec.State.Live(); {
	case live && closed:
		c.idle = make(chan struct{})
	case !live && !closed:
		close(c.idle)
	}
}

// emit publishes an event of this container.
func (c *ctr) emit(action events.Action, attributes map[string]string) {
	rec := c.snapshot()
	all := maps.Clone(rec.Config.Labels)
	if all == nil {
		all = map[string]string{}
	}
	all["name"], all["image"] = rec.Name, rec.Config.Image
	maps.Copy(all, attributes)
	c.d.events.Publish(events.Message{
		Type: events.ContainerEventType, Action: action, Actor: events.Actor{ID: c.id, Attributes: all},
	})
}

// disconnect ends the connection to the shim.
func (c *ctr) disconnect() {
	c.mu.Lock()
	t := c.task
	c.mu.Unlock()
	if t != nil {
		_ = t.Close()
	}
}

// notRunning is Docker's error for what needs a process.
func notRunning(rec record.Container) error {
	return fault.Conflict("container %s is not running", rec.ID)
}

// running answers the record and the task of a running container, or
// errdefs.ErrConflict.
func (c *ctr) running() (record.Container, task, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.rec.State.Running() || c.task == nil {
		return c.rec, nil, notRunning(c.rec)
	}
	return c.rec, c.task, nil
}

// short is how long the daemon waits for a shim's answer to a request that
// takes no time.
const short = 10 * time.Second

// exitOf is the wait's answer for a state.
func exitOf(s record.State) container.WaitResponse {
	return container.WaitResponse{StatusCode: int64(s.ExitCode)}
}
