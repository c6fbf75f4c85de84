//go:build linux

package daemon

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"golang.org/x/sync/errgroup"

	"wherry/internal/daemon/durable"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/restart"
	"wherry/internal/shim/bundle"
)

// atOnce is how many containers are looked after at the same time when the
// daemon starts.
const atOnce = 16

// restore finds out what became of the containers while no daemon looked. What
// the records say is only where the last daemon got to; the shims know better,
// and where there is no shim, the bundle does.
func (d *Daemon) restore(ctx context.Context) error {
	records, err := d.records.Load(func(id string, err error) {
		d.log.Error("a container's record can't be used; its folder is left as it is", "container", id, "error", err)
	})
	if err != nil {
		return err
	}
	for _, rec := range records {
		if err := d.names.Reserve(rec.Name, rec.ID); err != nil {
			was := rec.Name
			rec.Name = d.names.Generate(rec.ID)
			d.log.Error("two containers had one name; one got another", "container", rec.ID, "was", was, "is", rec.Name)
		}
		for _, m := range rec.Mounts {
			if m.Type == mount.TypeVolume {
				d.volumes.Hold(m.Name, rec.ID)
			}
		}
		d.containers[rec.ID] = d.newCtr(rec)
	}
	if err := d.buryOrphans(ctx); err != nil {
		return err
	}
	if err := d.releaseOrphans(ctx); err != nil {
		return err
	}

	var mu sync.Mutex
	var again []*ctr
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, c := range d.all() {
		g.Go(func() error {
			if d.recover(ctx, c) {
				mu.Lock()
				again = append(again, c)
				mu.Unlock()
			}
			return nil
		})
	}
	_ = g.Wait() // recover fails no daemon: it logs
	for _, c := range again {
		d.spawn(func() {
			if err := c.start(d.ctx, false); err != nil && d.ctx.Err() == nil {
				c.op.Lock()
				defer c.op.Unlock()
				c.startAgainFailed(err)
			}
		})
	}
	return nil
}

// buryOrphans ends the shims of bundles that belong to no container: the
// daemon died between a shim's start and its record, or after a removal's.
func (d *Daemon) buryOrphans(ctx context.Context) error {
	entries, err := os.ReadDir(d.bundles())
	if err != nil {
		return err
	}
	for _, e := range entries {
		id := e.Name()
		if _, known := d.containers[id]; known {
			continue
		}
		d.log.Warn("a shim of no container is ended", "bundle", id)
		d.clear(ctx, id)
	}
	return nil
}

// releaseOrphans gives up what images keep for containers that are gone.
func (d *Daemon) releaseOrphans(ctx context.Context) error {
	holders, err := d.images.Holders(ctx)
	if err != nil {
		return fmt.Errorf("which images are in use: %w", err)
	}
	for _, id := range holders {
		if _, known := d.containers[id]; !known {
			d.releaseImage(id)
		}
	}
	return nil
}

// clear ends everything in a bundle and removes it.
func (d *Daemon) clear(ctx context.Context, id string) {
	dir := d.bundle(id)
	ctx, cancel := context.WithTimeout(ctx, short)
	defer cancel()
	if t, err := d.shims.Connect(ctx, id, dir); err == nil {
		d.destroyTask(id, dir, t)
		return
	}
	if _, err := d.shims.Delete(ctx, id, dir); err != nil {
		d.log.Warn("remains are not cleaned up", "bundle", id, "error", err)
	}
	if err := durable.RemoveAll(dir); err != nil {
		d.log.Warn("a bundle is not removed", "bundle", dir, "error", err)
	}
}

// recover brings one container's record up to what is so, and answers whether
// its restart policy wants it started.
func (d *Daemon) recover(ctx context.Context, c *ctr) (again bool) {
	rec := c.snapshot()
	dir := d.bundle(c.id)
	switch exit, running := d.whatBecame(ctx, c, dir); {
	case running:
		if !rec.Removing {
			return false
		}
	case exit != nil:
		c.op.Lock()
		c.settle(*exit, false)
		c.op.Unlock()
	case rec.State.Status == container.StateRestarting || rec.State.Status == container.StateRemoving:
		c.change(func(r *record.Container) { r.State.Status = container.StateExited })
	}
	if rec.Removing || (rec.HostConfig.AutoRemove && rec.Started && !c.snapshot().State.Running()) {
		if err := c.remove(rec.HostConfig.AutoRemove); err != nil {
			d.log.Error("the container is not removed", "container", c.id, "error", err)
		}
		return false
	}
	now := c.snapshot()
	return rec.Started && restart.AtBoot(rec.HostConfig.RestartPolicy, rec.ManuallyStopped, rec.State.Live(), now.State.ExitCode, rec.RestartCount)
}

// whatBecame asks the shim, or what it left, how the container's run is or
// was. Without an exit and not running there was no run that anyone knew of.
func (d *Daemon) whatBecame(ctx context.Context, c *ctr, dir string) (exit *bundle.ExitStatus, running bool) {
	rec := c.snapshot()
	if _, err := os.Stat(dir); err != nil {
		if !rec.State.Running() {
			return nil, false
		}
		// The run folder was emptied, as a reboot does.
		return &bundle.ExitStatus{Code: 137, Reason: "the container's processes were gone when the engine started", ExitedAt: d.clock.Now()}, false
	}
	ctx, cancel := context.WithTimeout(ctx, short)
	defer cancel()
	t, err := d.shims.Connect(ctx, c.id, dir)
	var st taskState
	if err == nil {
		if st, err = t.State(ctx); err != nil {
			_ = t.Close()
		}
	}
	if err != nil {
		e := d.bury(ctx, c.id, dir)
		d.dropBundle(dir)
		if !rec.State.Running() {
			return nil, false // it died before its program was let go
		}
		return &e, false
	}
	switch st.Status {
	case taskCreated: // the daemon died between Create and Start
		d.destroyTask(c.id, dir, t)
		if rec.State.Running() {
			return &bundle.ExitStatus{Code: 137, ExitedAt: d.clock.Now()}, false
		}
		return nil, false
	case taskStopped:
		var left bundle.ExitStatus
		if err := bundle.Read(dir, bundle.Exit, &left); err == nil {
			st.Exit = left
		}
		d.endShim(c.id, t)
		d.dropBundle(dir)
		return &st.Exit, false
	}
	d.adopt(c, t, st, dir)
	return nil, true
}

// adopt takes over a container that runs.
func (d *Daemon) adopt(c *ctr, t task, st taskState, dir string) {
	var bound []bundle.Port
	if err := bundle.Read(dir, bundle.Ports, &bound); err != nil && !os.IsNotExist(err) {
		d.log.Warn("the published ports are not known", "container", c.id, "error", err)
	}
	c.mu.Lock()
	c.task, c.ended = t, make(chan struct{})
	c.mu.Unlock()
	c.change(func(r *record.Container) {
		if !r.State.Running() { // the daemon died between Start and its record
			r.State.StartedAt = d.clock.Now().UTC()
			r.Started = true
		}
		r.State.Status = container.StateRunning
		if st.Status == taskPaused {
			r.State.Status = container.StatePaused
		}
		r.State.Pid = st.Pid
		r.Ports = publishedOf(r, bound)
	})
	d.spawn(func() { c.follow(t, dir) })
}

func (d *Daemon) dropBundle(dir string) {
	if err := durable.RemoveAll(dir); err != nil {
		d.log.Warn("a bundle is not removed", "bundle", dir, "error", err)
	}
}
