//go:build linux

package daemon

import (
	"context"
	"fmt"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	"wherry/internal/daemon/admit"
	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/record"
)

// ContainerRename gives a container another name.
func (d *Daemon) ContainerRename(_ context.Context, id, name string) error {
	c, err := d.find(id)
	if err != nil {
		return err
	}
	name = strings.TrimPrefix(name, "/")
	if name == "" {
		return fault.Invalid("Neither old nor new names may be empty")
	}
	c.mu.Lock()
	old := c.rec.Name
	if old == name {
		c.mu.Unlock()
		return fault.Invalid("Renaming a container with the same name as its current name")
	}
	c.mu.Unlock()
	if err := d.names.Rename(c.id, name); err != nil {
		return err
	}
	if err := c.tryChange(func(r *record.Container) { r.Name = name }); err != nil {
		c.change(func(r *record.Container) { r.Name = old })
		if e := d.names.Rename(c.id, old); e != nil {
			d.log.Error("a rename is half done", "container", c.id, "error", e)
		}
		return diskWords("rename the container", err)
	}
	c.emit(events.ActionRename, map[string]string{"oldName": "/" + old})
	return nil
}

// ContainerUpdate changes a container's restart policy at once, and its memory
// limit for the next start. Memory of a running guest is bounded by its engine,
// which was told once: that is refused in words.
func (d *Daemon) ContainerUpdate(_ context.Context, id string, u container.UpdateConfig) (container.UpdateResponse, error) {
	none := container.UpdateResponse{Warnings: []string{}}
	c, err := d.find(id)
	if err != nil {
		return none, err
	}
	rec := c.snapshot()
	if rec.Removing {
		return none, fault.Conflict("container is marked for removal and cannot be \"update\"")
	}
	h := *rec.HostConfig
	if u.RestartPolicy.Name != "" {
		if h.AutoRemove && !u.RestartPolicy.IsNone() {
			return none, fault.Conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
		}
		h.RestartPolicy = u.RestartPolicy
	}
	if u.Memory != 0 {
		if rec.State.Live() && u.Memory != h.Memory {
			return none, fault.Conflict("Cannot update container %s: the memory limit of a running WebAssembly program cannot be changed: stop the container, update, start it again", id)
		}
		h.Memory = u.Memory
	}
	if u.MemorySwap != 0 {
		h.MemorySwap = u.MemorySwap
	}
	// Everything else that an update may carry is a resource; what the table
	// of settings says of it at create holds here too.
	wanted := h
	wanted.Resources = u.Resources
	wanted.Memory, wanted.MemorySwap = h.Memory, h.MemorySwap
	warnings, err := admit.Check(&container.Config{}, &container.HostConfig{Resources: wanted.Resources, RestartPolicy: h.RestartPolicy})
	if err != nil {
		return none, err
	}
	if err := c.tryChange(func(r *record.Container) { r.HostConfig = &h }); err != nil {
		return none, diskWords("update the container", err)
	}
	c.emit(events.ActionUpdate, nil)
	if warnings != nil {
		none.Warnings = warnings
	}
	return none, nil
}

// ContainerPause freezes a running container.
func (d *Daemon) ContainerPause(ctx context.Context, id string) error {
	c, err := d.find(id)
	if err != nil {
		return err
	}
	c.op.Lock()
	defer c.op.Unlock()
	rec, t, err := c.running()
	if err != nil {
		return err
	}
	if rec.State.Status == container.StatePaused {
		return fault.Conflict("container %s is already paused", c.id)
	}
	ctx, cancel := context.WithTimeout(ctx, short)
	defer cancel()
	if err := t.Pause(ctx); err != nil {
		return fmt.Errorf("cannot pause container %s: %w", c.id, err)
	}
	c.setStatus(container.StateRunning, container.StatePaused)
	c.emit(events.ActionPause, nil)
	return nil
}

// ContainerUnpause lets a paused container go on.
func (d *Daemon) ContainerUnpause(ctx context.Context, id string) error {
	c, err := d.find(id)
	if err != nil {
		return err
	}
	c.op.Lock()
	defer c.op.Unlock()
	rec, t, err := c.running()
	if err != nil || rec.State.Status != container.StatePaused {
		return fault.Conflict("container %s is not paused", c.id)
	}
	ctx, cancel := context.WithTimeout(ctx, short)
	defer cancel()
	if err := t.Resume(ctx); err != nil {
		return fmt.Errorf("cannot unpause container %s: %w", c.id, err)
	}
	c.setStatus(container.StatePaused, container.StateRunning)
	c.emit(events.ActionUnPause, nil)
	return nil
}

// setStatus moves from one status to another, if it is that one.
func (c *ctr) setStatus(from, to container.ContainerState) {
	c.change(func(r *record.Container) {
		if r.State.Status == from {
			r.State.Status = to
		}
	})
}
