//go:build linux

package daemon

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	"wherry/internal/daemon/admit"
	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/spec"
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

// ContainerUpdate changes a container's restart policy, and its limits: at once
// where it runs, else for its next start. What the request leaves out stays.
func (d *Daemon) ContainerUpdate(ctx context.Context, id string, u container.UpdateConfig) (container.UpdateResponse, error) {
	none := container.UpdateResponse{Warnings: []string{}}
	c, err := d.find(id)
	if err != nil {
		return none, err
	}
	c.op.Lock()
	defer c.op.Unlock()
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
	if u.Memory > 0 && u.MemorySwap == 0 && h.MemorySwap > 0 && u.Memory > h.MemorySwap {
		return none, fault.Invalid("Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time")
	}
	merged := merged(h.Resources, u.Resources)
	// What the table of settings says at create holds here too: of the
	// request's own settings the warnings, of all the rules.
	own := u.Resources
	own.Memory, own.MemorySwap = merged.Memory, merged.MemorySwap
	warnings, err := admit.Check(&container.Config{}, &container.HostConfig{Resources: own, RestartPolicy: h.RestartPolicy}, d.machine)
	if err != nil {
		return none, err
	}
	if _, err := admit.Check(&container.Config{}, &container.HostConfig{Resources: merged}, d.machine); err != nil {
		return none, err
	}
	live, err := c.limit(ctx, h.Resources, merged)
	if err != nil {
		return none, err
	}
	if live && merged.Memory != h.Memory {
		warnings = append(warnings, "the memory limit of the container's cgroup is changed; the bound of the guest's own memory stays until it is started again")
	}
	h.Resources = merged
	if err := c.tryChange(func(r *record.Container) { r.HostConfig = &h }); err != nil {
		return none, diskWords("update the container", err)
	}
	c.emit(events.ActionUpdate, nil)
	if warnings != nil {
		none.Warnings = warnings
	}
	return none, nil
}

// limit changes the limits of a container that runs, and tells whether it does.
// The caller holds op.
func (c *ctr) limit(ctx context.Context, before, after container.Resources) (live bool, err error) {
	if reflect.DeepEqual(before, after) {
		return false, nil
	}
	_, t, err := c.running()
	if err != nil {
		return false, nil // the next start has them
	}
	held, _ := admit.Enforced(after, c.d.machine())
	r, err := spec.Resources(held)
	if err != nil {
		return true, err
	}
	ctx, cancel := context.WithTimeout(ctx, short)
	defer cancel()
	switch err := t.Update(ctx, r); {
	case errdefs.IsNotImplemented(err):
		return true, fault.Conflict("Cannot update container %s: it runs without a cgroup, since it was started without limits or this engine may make none: stop the container, update, start it again", c.id)
	case err != nil:
		return true, fmt.Errorf("Cannot update container %s: %w", c.id, err)
	}
	return true, nil
}

// merged lays the limits that an update names over those of before, as Docker
// does (moby, container.UpdateContainer).
func merged(before, u container.Resources) container.Resources {
	m := before
	overlay(&m.CPUShares, u.CPUShares)
	overlay(&m.BlkioWeight, u.BlkioWeight)
	overlay(&m.CPURealtimePeriod, u.CPURealtimePeriod)
	overlay(&m.CPURealtimeRuntime, u.CPURealtimeRuntime)
	overlay(&m.CpusetCpus, u.CpusetCpus)
	overlay(&m.CpusetMems, u.CpusetMems)
	overlay(&m.Memory, u.Memory)
	overlay(&m.MemorySwap, u.MemorySwap)
	overlay(&m.MemoryReservation, u.MemoryReservation)
	overlay(&m.PidsLimit, u.PidsLimit)
	// The two ways of giving a share of the processors exclude each other.
	if u.NanoCPUs != 0 {
		m.NanoCPUs, m.CPUPeriod, m.CPUQuota = u.NanoCPUs, 0, 0
	}
	if u.CPUPeriod != 0 || u.CPUQuota != 0 {
		m.NanoCPUs = 0
		overlay(&m.CPUPeriod, u.CPUPeriod)
		overlay(&m.CPUQuota, u.CPUQuota)
	}
	return m
}

// overlay takes a value that was named.
func overlay[T comparable](to *T, from T) {
	var zero T
	if from != zero {
		*to = from
	}
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
