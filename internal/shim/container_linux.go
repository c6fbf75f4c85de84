package shim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/containerd/containerd/api/events"
	task "github.com/containerd/containerd/api/runtime/task/v2"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/timestamppb"

	"wherry/internal/sandbox"
	"wherry/internal/sandbox/cgroup"
	"wherry/internal/shim/bundle"
	"wherry/internal/shim/stream"
)

// container is one container, from the first word about it to its deletion.
type container struct {
	id, bundle string
	request    *task.CreateTaskRequest
	log        *slog.Logger
	events     *publisher

	// standby is a process for create to use, nil for none. It is used up or
	// discarded there.
	standby *sandbox.Standby

	// Set by create, before the container is anything but creating, and not
	// changed after.
	spec        *spec // nil where the container has no guest
	proc        *sandbox.Process
	streams     *stream.Streams
	memoryLimit uint64   // bytes, 0 for none
	warnings    []string // lines for the container's log at its start
	mounted     string   // where the rootfs was mounted; empty where not here
	group       *cgroup.Group
	hooks       *spec  // the specification where it has hooks, else nil
	unwatch     func() // ends the watch for a lack of memory, nil for none

	// exited is closed when the container is stopped and its exit is told.
	exited chan struct{}

	// further are the other processes in the container.
	further furtherProcesses

	mu     sync.Mutex
	status status
	// killed is the terminating signal that was asked for, 0 for none.
	killed syscall.Signal
	exit   bundle.ExitStatus
	// oomTold: containerd was told that the cgroup ran out of memory.
	oomTold bool
	// abort ends a create under way.
	abort context.CancelCauseFunc
}

func newContainer(r *task.CreateTaskRequest, log *slog.Logger, events *publisher) *container {
	return &container{
		id: r.ID, bundle: r.Bundle, request: r,
		log: log.With("container", r.ID), events: events,
		exited: make(chan struct{}),
	}
}

// pid is the container process's, 0 before there is one.
func (c *container) pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status == creating || c.proc == nil {
		return 0
	}
	return c.proc.PID()
}

func (c *container) alive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status == created || c.status == running || c.status == paused
}

// check tells whether an operation is allowed now.
func (c *container) check(op operation) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status.check(op)
}

// start lets the guest run. Clients that attached before get its first byte.
func (c *container) start(ctx context.Context) error {
	if err := c.letRun(ctx); err != nil {
		return err
	}
	c.startHooks(ctx)
	return nil
}

func (c *container) letRun(ctx context.Context) error {
	if err := c.check(opStart); err != nil {
		return err
	}
	if err := c.streams.Sync(ctx); err != nil {
		return fmt.Errorf("wait for attached clients: %w", err)
	}
	names, err := c.spec.namesAtStart()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.status.check(opStart); err != nil {
		return err
	}
	for _, w := range c.warnings {
		c.streams.Warn("wherry: warning: " + w)
	}
	if names == nil {
		err = c.proc.Run()
	} else {
		err = c.proc.RunWith(*names)
	}
	if err != nil {
		return err
	}
	c.status = running
	// The end of the guest is told under the same lock, so after this.
	c.events.publish(topicStart, &events.TaskStart{ContainerID: c.id, Pid: uint32(c.proc.PID())})
	return nil
}

// kill does what a signal means to a guest. With all, whatever else is in the
// container's cgroup ends with it.
func (c *container) kill(sig syscall.Signal, all bool) error {
	what, err := dispose(sig)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.status.check(opKill); err != nil {
		return err
	}
	if c.status == creating {
		if what == terminate {
			c.abort(fmt.Errorf("killed by signal %d while it was created: %w", int(sig), errdefs.ErrAborted))
		}
		return nil
	}
	switch what {
	case ignore:
		return nil
	case pass:
		if sig == unix.SIGCONT && c.status == paused {
			return nil // only a resume ends a pause
		}
	case terminate:
		if c.killed == 0 {
			c.killed = sig
		}
		sig = unix.SIGKILL
	}
	err = processError(c.proc.Signal(sig))
	if err == nil && what == terminate && c.group != nil && (all || c.status == paused) {
		// On cgroups of version 1 what is frozen does not die.
		err = c.group.Kill()
	}
	return err
}

// processError words the end of a process as containerd's callers know it.
func processError(err error) error {
	if errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("process already finished: %w", errdefs.ErrNotFound)
	}
	return err
}

// pause stops the process as a whole: by the cgroup's freezer where there is
// one, else by a signal.
func (c *container) pause() error {
	if c.group != nil && c.group.CanFreeze() {
		return c.stopOrGo(opPause, c.group.Freeze, paused)
	}
	if err := c.stopOrGo(opPause, c.signal(unix.SIGSTOP), paused); err != nil {
		return err
	}
	return c.proc.AwaitStop()
}

func (c *container) resume() error {
	if c.group != nil && c.group.CanFreeze() {
		return c.stopOrGo(opResume, c.group.Thaw, running)
	}
	return c.stopOrGo(opResume, c.signal(unix.SIGCONT), running)
}

func (c *container) signal(sig syscall.Signal) func() error {
	return func() error { return processError(c.proc.Signal(sig)) }
}

func (c *container) stopOrGo(op operation, do func() error, next status) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.status.check(op); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	c.status = next
	return nil
}

// watch waits for the process's end and tells it: first all output goes where
// it belongs, then exit.json is there, and only then anybody hears.
func (c *container) watch() {
	res := c.proc.Result()
	at := c.proc.Status().At
	noMemory := c.oomKilled()
	c.streams.Drain()
	// containerd's clients expect the end of a container after that of all in it.
	c.further.end()

	c.mu.Lock()
	defer c.mu.Unlock()
	c.exit = bundle.ExitStatus{Code: res.Code, Reason: res.Reason, OutOfMemory: res.OutOfMemory, ExitedAt: at.UTC()}
	if c.proc.Status().Signal == unix.SIGKILL {
		switch {
		case c.killed != 0:
			c.exit.Code, c.exit.Reason, c.exit.OutOfMemory = 128+int(c.killed), "", false
		case noMemory || c.oomTold:
			c.exit.Reason, c.exit.OutOfMemory = c.outOfMemory(), true
			if !c.oomTold {
				c.publishOOM()
			}
		default:
			c.exit.Reason = "killed by SIGKILL from outside: by the kernel for lack of memory, or by another program"
		}
	}
	if err := bundle.Write(c.bundle, bundle.Exit, c.exit); err != nil {
		c.log.Error("write how the container ended", "error", err)
	}
	c.status = stopped
	close(c.exited)
	c.events.publish(topicExit, &events.TaskExit{
		ContainerID: c.id, ID: c.id, Pid: uint32(c.proc.PID()),
		ExitStatus: uint32(c.exit.Code), ExitedAt: timestamppb.New(c.exit.ExitedAt),
	})
}

// wait returns how the container ended, once it has.
func (c *container) wait(ctx context.Context) (bundle.ExitStatus, error) {
	select {
	case <-c.exited:
	case <-ctx.Done():
		return bundle.ExitStatus{}, context.Cause(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exit, nil
}

// delete gives everything back. A container that was not started is killed.
func (c *container) delete(ctx context.Context) (bundle.ExitStatus, error) {
	c.mu.Lock()
	err := c.status.check(opDelete)
	if err == nil && c.status == created {
		c.killed = unix.SIGKILL
		err = processError(c.proc.Signal(unix.SIGKILL))
	}
	c.mu.Unlock()
	if err != nil && !errdefs.IsNotFound(err) {
		return bundle.ExitStatus{}, err
	}
	exit, err := c.wait(ctx)
	if err != nil {
		return exit, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.status.check(opDelete); err != nil {
		return exit, err
	}
	c.release()
	if c.hooks != nil {
		if err := stopHooks(c.hooks, c.id, c.bundle); err != nil {
			c.log.Warn("after the container's end", "error", err)
		}
	}
	c.status = deleted
	return exit, nil
}

// resize sets the size of the container's terminal.
func (c *container) resize(width, height uint16) error {
	if err := c.check(opResize); err != nil {
		return err
	}
	return c.streams.Resize(width, height)
}

// closeStdin ends the guest's input.
func (c *container) closeStdin() error {
	if err := c.check(opCloseIO); err != nil {
		return err
	}
	c.streams.CloseStdin()
	return nil
}

// release gives back what create took, as far as it came.
func (c *container) release() {
	for _, f := range c.further.all(true) {
		f.release()
	}
	if c.streams != nil {
		c.streams.Close()
	}
	c.dropGroup()
	if c.mounted != "" {
		if err := unix.Unmount(c.mounted, unix.MNT_DETACH); err != nil {
			c.log.Warn("unmount the root file system", "error", err)
		}
	}
	for _, name := range []string{bundle.PID, bundle.Attach, bundle.Compiling} {
		// What is not there needs no removing; the bundle goes anyway.
		_ = os.Remove(filepath.Join(c.bundle, name))
	}
}

// apiStatus gives the statuses their names in the task API.
var apiStatus = [...]tasktypes.Status{
	creating: tasktypes.Status_UNKNOWN,
	created:  tasktypes.Status_CREATED,
	running:  tasktypes.Status_RUNNING,
	paused:   tasktypes.Status_PAUSED,
	stopped:  tasktypes.Status_STOPPED,
	deleted:  tasktypes.Status_UNKNOWN,
}

func (c *container) state() *task.StateResponse {
	pid := c.pid()
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &task.StateResponse{
		ID: c.id, Bundle: c.bundle, Pid: uint32(pid), Status: apiStatus[c.status],
		Stdin: c.request.Stdin, Stdout: c.request.Stdout, Stderr: c.request.Stderr,
		Terminal: c.request.Terminal,
	}
	if c.status == stopped {
		r.ExitStatus = uint32(c.exit.Code)
		r.ExitedAt = timestamppb.New(c.exit.ExitedAt)
	} else {
		r.ExitedAt = timestamppb.New(time.Time{})
	}
	return r
}
