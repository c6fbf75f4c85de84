//go:build linux

package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/network"

	"wherry/internal/daemon/admit"
	"wherry/internal/daemon/durable"
	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/spec"
	"wherry/internal/shim/bundle"
)

// ContainerStart starts a container that does not run. One that runs is
// errdefs.ErrNotModified. The start goes on when the client leaves: half a
// start helps nobody.
func (d *Daemon) ContainerStart(_ context.Context, id string) error {
	c, err := d.find(id)
	if err != nil {
		return err
	}
	return c.start(d.ctx, true)
}

// start makes a run. By hand it clears what held the restart policy back.
func (c *ctr) start(ctx context.Context, byHand bool) error {
	c.op.Lock()
	defer c.op.Unlock()
	return c.startLocked(ctx, byHand)
}

// startLocked is start for who holds op.
func (c *ctr) startLocked(ctx context.Context, byHand bool) error {
	c.mu.Lock()
	status := c.rec.State.Status
	switch {
	case c.removed || c.rec.Removing:
		c.mu.Unlock()
		return fault.Conflict("container is marked for removal and cannot be started")
	case status == container.StatePaused:
		c.mu.Unlock()
		return fault.Conflict("cannot start a paused container, try unpause instead")
	case status == container.StateRunning:
		c.mu.Unlock()
		return fault.New(errNotModified, "container %s is already running", c.id)
	}
	if byHand {
		c.cancelPlan()
		c.rec.ManuallyStopped = false
		c.rec.RestartCount = 0
		c.backoff.Pause = 0
	}
	c.starting, c.aborted = true, false
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.starting = false
		c.mu.Unlock()
	}()
	if err := c.launch(ctx); err != nil {
		return c.startFailed(err)
	}
	return nil
}

// launch goes from a bundle to a running program.
func (c *ctr) launch(ctx context.Context) error {
	rec, dir := c.snapshot(), c.d.bundle(c.id)
	sources, err := c.d.sources(rec)
	if err != nil {
		return err
	}
	who, err := identity(&rec)
	if err != nil {
		return err
	}
	s, err := spec.New(&rec, spec.Places{
		Upper: c.d.records.Upper(c.id), Log: c.d.records.Log(c.id), Cache: c.d.cache(), Sources: sources,
		ModuleDigest: c.d.moduleDigest(rec), User: who, Machine: c.d.machine,
	})
	if err != nil {
		return err
	}
	// What an earlier run left there would be taken for this one's.
	if err := durable.RemoveAll(dir); err != nil {
		return err
	}
	if err := spec.Write(dir, s); err != nil {
		return diskWords("prepare the container", err)
	}
	t, err := c.d.shims.Start(ctx, c.id, dir)
	if err != nil {
		return errors.Join(fmt.Errorf("failed to start the shim: %w", err), durable.RemoveAll(dir))
	}
	c.mu.Lock()
	c.task = t
	aborted := c.aborted
	c.mu.Unlock()
	if aborted {
		err = errAborted
	} else {
		err = c.run(ctx, t, dir)
	}
	if err != nil {
		c.mu.Lock()
		c.task = nil
		c.mu.Unlock()
		c.d.destroyTask(c.id, dir, t)
	}
	return err
}

// publishedOf is the map of bound ports as inspect shows it: an exposed port
// that is not published is there too, with nothing.
func publishedOf(r *record.Container, bound []bundle.Port) network.PortMap {
	if admit.NetworkModeOf(r.Config, r.HostConfig) != "private" {
		return nil
	}
	ports := spec.Published(bound)
	for p := range r.Config.ExposedPorts {
		if _, ok := ports[p]; !ok {
			ports[p] = nil
		}
	}
	return ports
}

// errAborted is the start's answer where someone ended the container
// meanwhile.
var errAborted = fault.New(errdefs.ErrAborted, "the container was stopped while it was starting")

// run creates the task, connects those who attached before, and lets the
// program go.
func (c *ctr) run(ctx context.Context, t task, dir string) error {
	created := make(chan struct{})
	c.d.spawn(func() { c.watchCompile(dir, created) })
	pid, err := t.Create(ctx)
	close(created)
	if err != nil {
		return fmt.Errorf("failed to create task for container: %w", err)
	}
	var bound []bundle.Port
	if err := bundle.Read(dir, bundle.Ports, &bound); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the published ports: %w", err)
	}
	if err := c.connectAttachers(ctx, dir); err != nil {
		return err
	}
	if err := t.Start(ctx); err != nil {
		return fmt.Errorf("failed to start task for container: %w", err)
	}
	// The program runs from here on, whatever happens to the record.
	ended := make(chan struct{})
	c.mu.Lock()
	c.ended = ended
	c.mu.Unlock()
	c.change(func(r *record.Container) {
		r.Ports = publishedOf(r, bound)
		r.Started = true
		r.State = record.State{Status: container.StateRunning, Pid: pid, StartedAt: c.d.clock.Now().UTC(), FinishedAt: r.State.FinishedAt}
	})
	c.emit(events.ActionStart, nil)
	c.d.spawn(func() { c.follow(t, dir) })
	return nil
}

// startFailed notes why a start came to nothing, in the state and the exit
// code as Docker does, and returns the error for the client.
func (c *ctr) startFailed(err error) error {
	code := startExitCode(err)
	c.dropAttachers()
	c.change(func(r *record.Container) {
		r.State.Error = err.Error()
		r.State.ExitCode = code
		r.State.Pid = 0
		if r.State.Status == container.StateRestarting {
			r.State.Status = container.StateExited
		}
	})
	c.emit(events.ActionDie, map[string]string{"exitCode": strconv.Itoa(code)})
	c.wake(false)
	rec := c.snapshot()
	if rec.HostConfig.AutoRemove {
		if err := c.removeLocked(true); err != nil {
			c.d.log.Error("the container is not removed", "container", c.id, "error", err)
		}
	}
	c.d.log.Warn("container did not start", "container", c.id, "name", rec.Name, "error", err)
	return err
}

// startExitCode is the exit code of a container that could not start: Docker
// chooses it by the words of the error, and so do its clients.
func startExitCode(err error) int {
	contains := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(strings.ToLower(err.Error()), w) {
				return true
			}
		}
		return false
	}
	switch {
	case contains("executable file not found", "no such file or directory", "system cannot find the file specified"):
		return 127
	case contains("permission denied", "is a directory", "exec format error"):
		return 126
	default:
		return 128
	}
}

// destroyTask ends whatever a start that failed left behind.
func (d *Daemon) destroyTask(id, dir string, t task) {
	ctx, cancel := context.WithTimeout(context.Background(), short)
	defer cancel()
	// Each may fail because the step before it never happened; Delete of the
	// shim's program cleans up after all of them.
	_ = t.Kill(ctx, 9)
	_ = t.Delete(ctx)
	_ = t.Shutdown(ctx)
	_ = t.Close()
	if _, err := d.shims.Delete(ctx, id, dir); err != nil {
		d.log.Warn("a container's remains are not cleaned up", "container", id, "error", err)
	}
	if err := durable.RemoveAll(dir); err != nil {
		d.log.Warn("a bundle is not removed", "bundle", dir, "error", err)
	}
}

// How long a start may take before people are told why, and how often the
// shim's note is looked for then.
const (
	compileAfter = 300 * time.Millisecond
	compileEvery = 100 * time.Millisecond
)

// actionCompile tells that a start waits for the module to be compiled. Docker
// has no such event; clients that do not know it show it like any other.
const actionCompile events.Action = "compile"

// watchCompile tells, once, that a start waits for the compiler.
func (c *ctr) watchCompile(dir string, done <-chan struct{}) {
	next := time.NewTimer(compileAfter)
	defer next.Stop()
	for {
		select {
		case <-done:
			return
		case <-c.d.ctx.Done():
			return
		case <-next.C:
		}
		var note bundle.Compile
		if err := bundle.Read(dir, bundle.Compiling, &note); err == nil {
			engine := note.Engine
			if engine == "" {
				engine = "default" // the shim's own choice
			}
			c.emit(actionCompile, map[string]string{
				"module": note.Module, "size": strconv.FormatInt(note.Size, 10), "engine": engine,
			})
			return
		}
		if _, err := os.Stat(dir); err != nil {
			return
		}
		next.Reset(compileEvery)
	}
}
