//go:build linux

package daemon

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	"wherry/internal/daemon/admit"
)

// What holds where a health check does not say otherwise, and how much of it is
// kept (Docker Engine, daemon/health.go).
const (
	checkEvery      = 30 * time.Second
	checkStartEvery = 5 * time.Second
	checkTimeout    = 30 * time.Second
	checkRetries    = 3
	checkLog        = 5    // results
	checkOutput     = 4096 // bytes of each
)

// checked is the container's health check, nil for none.
func (c *ctr) checked() *container.HealthConfig {
	rec := c.snapshot()
	if h := rec.Config.Healthcheck; h != nil && len(h.Test) > 0 && h.Test[0] != "NONE" {
		return h
	}
	return nil
}

// watchHealth checks a container that runs until ctx ends.
func (c *ctr) watchHealth(ctx context.Context) {
	h := c.checked()
	if h == nil {
		return
	}
	c.mu.Lock()
	c.health = &container.Health{Status: container.Starting}
	c.mu.Unlock()
	c.d.spawn(func() {
		begun := c.d.clock.Now()
		for {
			pause := cmp.Or(h.Interval, checkEvery)
			if c.healthNow().Status == container.Starting && c.d.clock.Now().Sub(begun) < h.StartPeriod {
				pause = cmp.Or(h.StartInterval, checkStartEvery)
			}
			select {
			case <-ctx.Done():
				return
			case <-c.d.clock.After(pause):
			}
			if c.snapshot().State.Status == container.StatePaused {
				continue
			}
			r := c.check(ctx, h)
			if ctx.Err() != nil {
				return
			}
			c.noteHealth(h, r, r.Start.Sub(begun) < h.StartPeriod)
		}
	})
}

// check runs the check once.
func (c *ctr) check(ctx context.Context, h *container.HealthConfig) *container.HealthcheckResult {
	r := &container.HealthcheckResult{Start: c.d.clock.Now(), ExitCode: -1}
	defer func() { r.End = c.d.clock.Now() }()
	if h.Test[0] != "CMD" || len(h.Test) < 2 {
		r.Output = admit.NoShell
		return r
	}
	e := c.newExec(container.ExecCreateRequest{Cmd: h.Test[1:], AttachStdout: true, AttachStderr: true})
	e.started = true
	e.emit(events.ActionExecCreate)
	limit := cmp.Or(h.Timeout, checkTimeout)
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out := &firstBytes{}
	err := e.run(timed, nil, Streams{Stdout: out, Stderr: out}, true)
	switch {
	case timed.Err() != nil:
		e.end()
		r.Output = fmt.Sprintf("Health check exceeded timeout (%v)", limit)
		return r
	case err != nil:
		r.Output = err.Error()
		return r
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.exit != nil {
		r.ExitCode = *e.exit
	}
	r.Output = out.String()
	return r
}

// end ends an exec that runs.
func (e *execution) end() {
	e.mu.Lock()
	t := e.task
	e.mu.Unlock()
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(e.c.d.ctx, short)
	defer cancel()
	if err := t.Kill(ctx, 9); err != nil {
		e.c.d.log.Debug("end an exec", "exec", e.id, "error", err)
	}
}

// firstBytes keeps as much of an output as a result holds.
type firstBytes struct{ bytes.Buffer }

func (b *firstBytes) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), max(0, checkOutput-b.Len()))])
	return len(p), nil
}

// noteHealth counts a result. While the program starts, failures do not count.
func (c *ctr) noteHealth(h *container.HealthConfig, r *container.HealthcheckResult, starting bool) {
	c.mu.Lock()
	was := *c.health
	now := container.Health{Status: was.Status, FailingStreak: was.FailingStreak, Log: append(slices.Clone(was.Log), r)}
	now.Log = now.Log[max(0, len(now.Log)-checkLog):]
	switch {
	case r.ExitCode == 0:
		now.Status, now.FailingStreak = container.Healthy, 0
	case starting && was.Status == container.Starting:
	default:
		if now.FailingStreak++; now.FailingStreak >= cmp.Or(h.Retries, checkRetries) {
			now.Status = container.Unhealthy
		}
	}
	c.health = &now
	c.mu.Unlock()
	if now.Status != was.Status {
		c.emit(events.Action(string(events.ActionHealthStatus)+": "+string(now.Status)), nil)
	}
}

// healthNow is what the checks have found; its status is none where nothing is
// checked.
func (c *ctr) healthNow() container.Health {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.health == nil {
		return container.Health{Status: container.NoHealthcheck}
	}
	return *c.health
}

// healthOf is a container's, by its id.
func (d *Daemon) healthOf(id string) container.Health {
	d.mu.Lock()
	c := d.containers[id]
	d.mu.Unlock()
	if c == nil {
		return container.Health{Status: container.NoHealthcheck}
	}
	return c.healthNow()
}

// healthWords are what a list adds to the state of a container that runs.
func healthWords(h container.HealthStatus) string {
	switch h {
	case container.Starting:
		return " (health: starting)"
	case container.Healthy, container.Unhealthy:
		return " (" + string(h) + ")"
	}
	return ""
}

// mergeCheck completes a request's health check with the image's.
func mergeCheck(c, image *container.HealthConfig) *container.HealthConfig {
	if c == nil || image == nil {
		return cmp.Or(c, image)
	}
	merged := *c
	if len(c.Test) == 0 {
		merged.Test = image.Test
	}
	merged.Interval = cmp.Or(c.Interval, image.Interval)
	merged.Timeout = cmp.Or(c.Timeout, image.Timeout)
	merged.StartPeriod = cmp.Or(c.StartPeriod, image.StartPeriod)
	merged.StartInterval = cmp.Or(c.StartInterval, image.StartInterval)
	merged.Retries = cmp.Or(c.Retries, image.Retries)
	return &merged
}
