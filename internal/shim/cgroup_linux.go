package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/api/events"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/engine/engines"
	"wherry/internal/sandbox/cgroup"
	"wherry/internal/shim/bundle"
)

// leastTasks is what a container process is left of threads whatever the limit.
const leastTasks = bundle.LeastTasks

// makeGroup makes the container's cgroup, where its specification names one or
// asks for what only a cgroup can do. The embedded engine names one where it
// wants one.
func (c *container) makeGroup(s *spec) error {
	if s.Linux == nil || (s.Linux.CgroupsPath == "" && s.embedded()) {
		return nil
	}
	limits := resourcesOf(s.Linux.Resources)
	path := s.Linux.CgroupsPath
	if path == "" {
		if !cgroup.Asks(limits) {
			return nil
		}
		path = cgroup.Probe().Parent + c.id
	}
	g, err := cgroup.Create(cgroup.Config{ID: c.id, Path: path, Resources: limits})
	if err != nil && !cgroup.Asks(limits) && (errdefs.IsFailedPrecondition(err) || errdefs.IsPermissionDenied(err)) {
		// It would only measure, which can be done without.
		c.log.Warn("the container has no cgroup", "reason", err)
		return nil
	}
	if err != nil {
		return err
	}
	c.group = g
	return bundle.Write(c.bundle, bundle.Cgroup, g.State())
}

// resourcesOf are a specification's limits as they are set: no fewer tasks than
// the process around the guest needs.
func resourcesOf(r *specs.LinuxResources) *specs.LinuxResources {
	if r == nil || r.Pids == nil || r.Pids.Limit == nil || *r.Pids.Limit <= 0 || *r.Pids.Limit >= leastTasks {
		return r
	}
	raised, least := *r, int64(leastTasks)
	raised.Pids = &specs.LinuxPids{Limit: &least}
	return &raised
}

// place puts the container process into the cgroup, if there is one.
func (c *container) place(pid int) error {
	if c.group == nil {
		return nil
	}
	return c.group.Place(pid)
}

// watchMemory tells containerd, from now on, when the cgroup runs out of memory.
func (c *container) watchMemory() {
	if c.group == nil {
		return
	}
	stop, err := c.group.WatchOOM(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.status != stopped && c.status != deleted {
			c.publishOOM()
		}
	})
	if err != nil {
		c.log.Warn("a lack of memory is told at the container's end only", "reason", err)
		return
	}
	c.unwatch = stop
}

// publishOOM tells of a lack of memory. The caller holds the lock.
func (c *container) publishOOM() {
	c.oomTold = true
	c.events.publish(topicOOM, &events.TaskOOM{ContainerID: c.id})
}

// oomKilled tells whether the kernel ended the container's process for lack of
// memory. To be asked at once when it has ended: systemd removes an empty group.
func (c *container) oomKilled() bool {
	if c.group == nil {
		return false
	}
	n, err := c.group.OOMKills()
	if err != nil {
		c.log.Warn("it is not known whether memory was lacking", "reason", err)
	}
	return n > 0
}

// outOfMemory says why the kernel ended the process.
func (c *container) outOfMemory() string {
	if c.memoryLimit == 0 {
		return "killed by the kernel: a cgroup above the container's ran out of memory"
	}
	return fmt.Sprintf("killed by the kernel at the memory limit of %s: what its process needs besides the guest's memory was more than expected", mib(c.memoryLimit))
}

// update changes limits. Less memory than is in use is refused, where the kernel
// would end the process.
func (c *container) update(r *specs.LinuxResources) error {
	if r.Memory != nil && r.Memory.CheckBeforeUpdate == nil {
		yes := true
		r.Memory.CheckBeforeUpdate = &yes
	}
	if err := c.group.Update(resourcesOf(r)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Memory != nil && r.Memory.Limit != nil {
		c.memoryLimit = uint64(max(0, *r.Memory.Limit))
	}
	return nil
}

// lackedMemory says of a failed create that the limit was too low for it.
func (c *container) lackedMemory(err error) error {
	if !c.oomKilled() {
		return err
	}
	return fmt.Errorf("the memory limit of %s is too low to start the guest in; give it more: %w: %w", mib(c.memoryLimit), err, errdefs.ErrInvalidArgument)
}

// dropGroup removes the cgroup, and all that may still be in it.
func (c *container) dropGroup() {
	if c.unwatch != nil {
		c.unwatch()
		c.unwatch = nil
	}
	if c.group == nil {
		return
	}
	if err := errors.Join(c.group.Kill(), c.group.Destroy()); err != nil {
		c.log.Warn("remove the container's cgroup", "error", err)
		return
	}
	// What is not there needs no removing.
	_ = os.Remove(filepath.Join(c.bundle, bundle.Cgroup))
}

// removeGroup ends what a dead shim left in a container's cgroup, and removes
// that.
func removeGroup(dir string) error {
	var st cgroup.State
	if err := bundle.Read(dir, bundle.Cgroup, &st); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	g, err := cgroup.Load(st)
	if err != nil {
		return err
	}
	if err := errors.Join(g.Kill(), g.Destroy()); err != nil {
		return err
	}
	return os.Remove(filepath.Join(dir, bundle.Cgroup))
}

// What a container's process takes of its memory limit besides the guest's
// memory, in bytes, as measured by TestProcessMemory. With wasmtime, which maps
// the compiled code, it is 2 to 3 MiB, or 7 where the kernel gives huge pages; the
// rest is for files and sockets. Page tables are a five hundredth of the guest's
// memory, for which tableShare leaves twice as much. wazero copies the code and
// keeps what it knows of the module: heap and code came to 3.2 times the code for
// a Go program, 2.8 times the module for one that is mostly data.
const (
	ownMemory   = 12 << 20
	tableShare  = 256
	wazeroTimes = 3
	// leastMemory is what a limit must leave to a guest.
	leastMemory = 1 << 20
)

// guestMemory divides a container's memory limit: what the guest may have, and
// what is its process's own. With a cgroup the limit is that of all, and the
// guest's must be reached first, so that memory.grow fails and tells why,
// instead of the kernel ending the process. Without one the limit is the guest's.
func (c *container) guestMemory(s *spec, engine string, p *program, code *os.File) (guest, own uint64, err error) {
	limit := s.memoryLimit()
	if limit == 0 || c.group == nil {
		return limit, 0, nil
	}
	// Of a small limit less is taken: what is too little shows at the start.
	own = min(ownMemory, max(ownMemory/3, limit/4)) + limit/tableShare
	if engine == "" {
		engine = engines.Names()[0]
	}
	hint := ""
	if engine == "wazero" {
		info, err := code.Stat()
		if err != nil {
			return 0, 0, err
		}
		own += wazeroTimes * uint64(info.Size()+p.size)
		hint = " with wazero (wasmtime takes less)"
	}
	if limit < own+leastMemory {
		return 0, 0, fmt.Errorf("the memory limit of %s is too low: the process around the guest takes up to %s of it%s; give at least %dm: %w",
			mib(limit), mib(own), hint, (own+leastMemory+1<<20-1)>>20, errdefs.ErrInvalidArgument)
	}
	return limit - own, own, nil
}

func mib(n uint64) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
