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
// Docker. The numbers are the container process's own: memory is what it has
// resident, code shared with other containers included and told apart as
// inactive_file, which clients subtract.
func (d *Daemon) ContainerStats(ctx context.Context, id string, stream bool, send func(container.StatsResponse) error) error {
	c, err := d.find(id)
	if err != nil {
		return err
	}
	last := c.sample()
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
		now := c.sample()
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

// sample measures the container's process.
func (c *ctr) sample() container.StatsResponse {
	rec := c.snapshot()
	s := container.StatsResponse{ID: rec.ID, Name: "/" + rec.Name, OSType: "linux"}
	if !rec.State.Running() || rec.State.Pid == 0 {
		return s
	}
	p, err := readProcess(rec.State.Pid)
	if err != nil {
		return s // it ended meanwhile
	}
	s.Read = time.Now()
	s.CPUStats = container.CPUStats{
		CPUUsage:    container.CPUUsage{TotalUsage: uint64(p.user + p.system), UsageInUsermode: uint64(p.user), UsageInKernelmode: uint64(p.system)},
		SystemUsage: uint64(systemTime()), OnlineCPUs: uint32(runtime.NumCPU()),
	}
	limit := uint64(rec.HostConfig.Memory)
	if limit == 0 {
		limit = memTotal()
	}
	s.MemoryStats = container.MemoryStats{
		Usage: p.rss, MaxUsage: p.peak, Limit: limit,
		Stats: map[string]uint64{"anon": p.anon, "file": p.file, "inactive_file": p.file, "shmem": p.shared},
	}
	s.PidsStats = container.PidsStats{Current: uint64(p.threads)}
	s.BlkioStats = container.BlkioStats{IoServiceBytesRecursive: []container.BlkioStatEntry{
		{Op: "read", Value: p.read}, {Op: "write", Value: p.written},
	}}
	return s
}
