//go:build linux

package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/mount"
	"golang.org/x/sys/unix"

	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/filter"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/volume"
)

// ContainerRemove removes a container and its files. One that runs is
// errdefs.ErrConflict, unless forced: then it is killed.
func (d *Daemon) ContainerRemove(_ context.Context, id string, o RemoveOptions) error {
	c, err := d.find(id)
	if err != nil {
		return err
	}
	c.mu.Lock()
	state, name := c.rec.State, c.rec.Name
	why := ""
	switch {
	case o.Force:
	case c.starting || state.Status == container.StateRunning:
		why = "container is running: stop the container before removing or force remove"
	case state.Status == container.StatePaused:
		why = "container is paused and must be unpaused first"
	case state.Status == container.StateRestarting:
		why = "container is restarting: stop the container before removing or force remove"
	}
	if why == "" && (c.removed || c.rec.Removing) {
		c.mu.Unlock()
		return fault.Conflict("removal of container %s is already in progress", id)
	}
	if why == "" {
		c.rec.Removing = true
	}
	c.mu.Unlock()
	if why != "" {
		return fault.Conflict("cannot remove container %q: %s", "/"+name, why)
	}
	return c.remove(o.Volumes)
}

// remove ends what runs of a container, and removes it. Its mark of removal
// forbids starts from here on.
func (c *ctr) remove(volumes bool) error {
	c.change(func(r *record.Container) { r.Removing = true })
	for {
		if ended := c.interrupt(unix.SIGKILL); ended != nil {
			<-ended
		}
		c.op.Lock()
		if !c.snapshot().State.Running() {
			break
		}
		c.op.Unlock() // a start was in progress and won
	}
	defer c.op.Unlock()
	return c.removeLocked(volumes)
}

// removeLocked removes a container that has no process. The caller holds op.
func (c *ctr) removeLocked(volumes bool) error {
	c.mu.Lock()
	if c.removed {
		c.mu.Unlock()
		return nil
	}
	c.cancelPlan()
	marked := c.rec.Removing
	c.mu.Unlock()
	// Should the removal be cut short, the next start of the daemon ends it.
	if !marked {
		if err := c.tryChange(func(r *record.Container) { r.Removing = true }); err != nil && !errors.Is(err, errNoSpace) {
			return c.removalFailed(err)
		}
	}
	if err := c.d.records.Remove(c.id); err != nil {
		return c.removalFailed(err)
	}
	rec := c.snapshot()
	c.mu.Lock()
	c.removed = true
	c.mu.Unlock()
	c.d.mu.Lock()
	delete(c.d.containers, c.id)
	c.d.mu.Unlock()
	c.d.names.Release(c.id)
	c.d.volumes.Release(c.id)
	c.d.releaseImage(c.id)
	if volumes {
		c.d.removeAnonymous(rec)
	}
	c.emit(events.ActionDestroy, nil)
	c.dropAttachers()
	c.wake(true)
	return nil
}

func (c *ctr) removalFailed(err error) error {
	c.change(func(r *record.Container) {
		r.State.Status = container.StateDead
		r.State.Error = err.Error()
		r.Removing = false
	})
	return fmt.Errorf("cannot remove container %q: %w", "/"+c.snapshot().Name, err)
}

// removeAnonymous removes the volumes that were made for one container, unless
// another uses them by now.
func (d *Daemon) removeAnonymous(rec record.Container) {
	for _, m := range rec.Mounts {
		if m.Type != mount.TypeVolume || !m.Anonymous || len(d.volumes.Holders(m.Name)) > 0 {
			continue
		}
		if err := d.volumes.Remove(m.Name); err != nil {
			d.log.Warn("an anonymous volume is not removed", "volume", m.Name, "container", rec.ID, "error", err)
			continue
		}
		d.volumeEvent(events.ActionDestroy, m.Name, map[string]string{"driver": "local"})
	}
}

// ContainersPrune removes the containers that do not run. Filters: until,
// label, label!.
func (d *Daemon) ContainersPrune(_ context.Context, f Filters) (container.PruneReport, error) {
	report := container.PruneReport{ContainersDeleted: []string{}}
	if err := filter.Check(f, "until", "label", "label!"); err != nil {
		return report, err
	}
	until, err := filter.Until(f, time.Now())
	if err != nil {
		return report, err
	}
	for _, c := range d.all() {
		c.op.Lock()
		rec := c.snapshot()
		idle := !rec.State.Live() && !rec.Removing && (until.IsZero() || rec.Created.Before(until)) &&
			filter.Labels(f["label"], rec.Config.Labels) && filter.NoLabels(f["label!"], rec.Config.Labels)
		if idle {
			size := volume.DirSize(d.records.Upper(c.id))
			if err := c.removeLocked(false); err != nil {
				d.log.Warn("a container is not pruned", "container", c.id, "error", err)
			} else {
				report.ContainersDeleted = append(report.ContainersDeleted, c.id)
				report.SpaceReclaimed += uint64(size)
			}
		}
		c.op.Unlock()
	}
	d.events.Publish(pruned(events.ContainerEventType, report.SpaceReclaimed))
	return report, nil
}
