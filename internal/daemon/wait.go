//go:build linux

package daemon

import (
	"context"

	"github.com/moby/moby/api/types/container"

	"wherry/internal/daemon/fault"
)

// waiter is a client that waits for a container's end.
type waiter struct {
	// removal tells that it waits for the removal, not for the next end.
	removal bool
	answer  chan container.WaitResponse // of capacity one
}

// ContainerWait answers once the wait is registered. Until ctx ends, the
// channel gives one response.
func (d *Daemon) ContainerWait(ctx context.Context, id string, cond container.WaitCondition) (<-chan container.WaitResponse, error) {
	switch cond {
	case "", container.WaitConditionNotRunning, container.WaitConditionNextExit, container.WaitConditionRemoved:
	default:
		return nil, fault.Invalid("invalid condition: %q: want not-running, next-exit or removed", cond)
	}
	c, err := d.find(id)
	if err != nil {
		return nil, err
	}
	w := &waiter{removal: cond == container.WaitConditionRemoved, answer: make(chan container.WaitResponse, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := cond == "" || cond == container.WaitConditionNotRunning
	if (now && !c.rec.State.Live()) || c.removed {
		w.answer <- exitOf(c.rec.State)
		return w.answer, nil
	}
	c.waiters[w] = struct{}{}
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiters, w)
	})
	return w.answer, nil
}

// wake answers those who wait for an end; with removal also those who wait for
// the removal.
func (c *ctr) wake(removal bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for w := range c.waiters {
		if w.removal && !removal {
			continue
		}
		w.answer <- exitOf(c.rec.State)
		delete(c.waiters, w)
	}
}
