//go:build linux

package daemon

import (
	"context"
	"runtime"
	"time"

	"github.com/moby/moby/api/types/container"
)

// statsEvery is the pause between two samples.
const statsEvery = time.Second

// ContainerStats sends one sample, or one a second until ctx ends or the
// container is removed. A container that does not run gives zeroes, as in
// Docker. The numbers are those of the container's cgroup, or of its process
// where it has none.
func (d *Daemon) ContainerStats(ctx context.Context, id string, stream bool, send func(container.StatsResponse) error) error {
	c, err := d.find(id)
	if err != nil {
		return err
	}
	last := c.sample(ctx)
	if !stream && !c.snapshot().State.Running() {
		return send(last)
	}
	t := time.NewTicker(statsEvery)
	defer t.Stop()
	for first := true; ; first = false {
		if first && stream {
			if err := send(last); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.ctx.Done():
			return nil
		case <-t.C:
		}
		c.mu.Lock()
		removed := c.removed
		c.mu.Unlock()
		if removed {
			return nil
		}
		now := c.sample(ctx)
		now.PreRead, now.PreCPUStats = last.Read, last.CPUStats
		if err := send(now); err != nil {
			return err
		}
		if !stream {
			return nil
		}
		last = now
	}
}

// sample has the shim measure the container.
func (c *ctr) sample(ctx context.Context) container.StatsResponse {
	rec, t, err := c.running()
	s := container.StatsResponse{ID: rec.ID, Name: "/" + rec.Name, OSType: "linux"}
	if err != nil {
		return s
	}
	ctx, cancel := context.WithTimeout(ctx, short)
	defer cancel()
	m, err := t.Metrics(ctx)
	if err != nil {
		c.d.log.Debug("a container is not measured", "container", c.id, "error", err)
		return s // it ended meanwhile
	}
	s.Read = time.Now()
	s.CPUStats = container.CPUStats{SystemUsage: uint64(systemTime()), OnlineCPUs: uint32(runtime.NumCPU())}
	fillStats(&s, m)
	return s
}
