//go:build linux

package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/spec"
	"wherry/internal/shim/bundle"
)

// execKept is how long an exec that has ended can be inspected, as in Docker.
const execKept = 5 * time.Minute

// execution is an exec: asked for, running, or ended.
type execution struct {
	id      string
	c       *ctr
	request container.ExecCreateRequest
	// done is closed when the program has ended, and all its output is out.
	done chan struct{}

	mu      sync.Mutex
	started bool
	task    execTask // nil while nothing runs
	pid     int
	exit    *int
	ended   time.Time
}

// executions are the daemon's execs, by id.
type executions struct {
	mu   sync.Mutex
	list map[string]*execution
}

// add keeps an exec, and forgets those that nobody can ask for any more.
func (l *executions) add(e *execution, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, old := range l.list {
		if old.over(now) {
			delete(l.list, id)
		}
	}
	if l.list == nil {
		l.list = map[string]*execution{}
	}
	l.list[e.id] = e
}

func (l *executions) get(id string) (*execution, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.list[id]; e != nil {
		return e, nil
	}
	return nil, fault.NotFound("No such exec instance: %s", id)
}

// of lists the ids of a container's execs that run.
func (l *executions) of(c *ctr) (ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, e := range l.list {
		if e.c == c && e.running() {
			ids = append(ids, id)
		}
	}
	return ids
}

func (e *execution) running() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.task != nil
}

// over tells whether an exec is to be forgotten: it has ended long ago, or its
// container has without it.
func (e *execution) over(now time.Time) bool {
	live := e.c.snapshot().State.Live()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.exit != nil {
		return now.Sub(e.ended) > execKept
	}
	return !e.started && !live
}

// runningExec is running for what needs a container that does not stand still.
func (c *ctr) runningExec() (record.Container, task, error) {
	rec, t, err := c.running()
	switch {
	case err != nil:
		return rec, nil, fault.Conflict("container %s is not running", c.id)
	case rec.State.Status == container.StatePaused:
		return rec, nil, fault.Conflict("Container %s is paused, unpause the container before exec", c.id)
	}
	return rec, t, nil
}

// ContainerExecCreate notes what is to run in a container, and gives it an id.
func (d *Daemon) ContainerExecCreate(_ context.Context, id string, r container.ExecCreateRequest) (string, error) {
	c, err := d.find(id)
	if err != nil {
		return "", err
	}
	switch {
	case len(r.Cmd) == 0 || r.Cmd[0] == "":
		return "", fault.Invalid("No exec command specified")
	case r.Privileged:
		return "", fault.NotBuilt("privileged execs are not built: a guest never has more than its container's walls leave")
	}
	if _, _, err := c.runningExec(); err != nil {
		return "", err
	}
	e := c.newExec(r)
	d.execs.add(e, d.clock.Now())
	e.emit(events.ActionExecCreate)
	return e.id, nil
}

func (c *ctr) newExec(r container.ExecCreateRequest) *execution {
	id := make([]byte, 32)
	_, _ = rand.Read(id) // it never fails
	return &execution{id: hex.EncodeToString(id), c: c, request: r, done: make(chan struct{})}
}

// emit publishes an event of the exec: Docker's have the command in their name.
func (e *execution) emit(action events.Action) {
	e.c.emit(events.Action(fmt.Sprintf("%s: %s", action, strings.Join(e.request.Cmd, " "))), map[string]string{"execID": e.id})
}

// ContainerExecStart runs an exec. Where it is detached, ready is nil, and it
// returns when the program runs; else it calls ready before, and returns when
// the program has ended, or the client left.
func (d *Daemon) ContainerExecStart(ctx context.Context, id string, size *[2]uint, ready func() (Streams, error)) error {
	e, err := d.execs.get(id)
	if err != nil {
		return err
	}
	if _, _, err := e.c.runningExec(); err != nil {
		return err
	}
	e.mu.Lock()
	again := e.started
	e.started = true
	e.mu.Unlock()
	if again {
		return fault.Conflict("Error: Exec command %s has already run", id)
	}
	var s Streams
	if ready != nil {
		if s, err = ready(); err != nil {
			e.failed(err)
			return err
		}
	}
	return e.run(ctx, size, s, ready != nil)
}

// run starts the program and carries its streams, if they are attached.
func (e *execution) run(ctx context.Context, size *[2]uint, s Streams, attached bool) error {
	t, err := e.prepare(ctx, s.Stdin != nil)
	if err != nil {
		e.failed(err)
		return err
	}
	// A start that is under way goes on when the client leaves.
	long := context.WithoutCancel(ctx)
	if size != nil {
		if err := t.Resize(long, uint32(size[0]), uint32(size[1])); err != nil {
			e.c.d.log.Debug("resize an exec's terminal", "exec", e.id, "error", err)
		}
	}
	carried := make(chan error, 1)
	if attached {
		conn, err := t.Attach(long)
		if err != nil {
			return e.abandon(t, err)
		}
		defer conn.Close()
		e.emit(events.ActionExecStart)
		go func() { carried <- pump(ctx, conn, s) }()
	} else {
		e.emit(events.ActionExecStart)
	}
	pid, err := t.Start(long)
	if err != nil {
		return e.abandon(t, err)
	}
	e.mu.Lock()
	e.task, e.pid = t, pid
	e.mu.Unlock()
	e.c.d.spawn(func() { e.follow(t) })
	if !attached {
		return nil
	}
	err = <-carried
	select {
	case <-e.done: // its exit code is what the client asks for next
	case <-ctx.Done():
	case <-e.c.d.ctx.Done():
	}
	return err
}

// prepare adds the process to the container, in its shim.
func (e *execution) prepare(ctx context.Context, stdin bool) (execTask, error) {
	rec, t, err := e.c.runningExec()
	if err != nil {
		return nil, err
	}
	x := spec.Exec{Args: e.request.Cmd, Env: e.request.Env, User: e.request.User, Cwd: e.request.WorkingDir, Terminal: e.request.Tty}
	who := rec.Config.User
	if x.User != "" {
		who = x.User
	}
	identity, err := identityIn(rec.Image.Tree, who, rec.HostConfig.GroupAdd)
	if err != nil {
		return nil, err
	}
	p, err := spec.NewExec(&rec, x, spec.Places{User: identity, Machine: e.c.d.machine})
	if err != nil {
		return nil, err
	}
	mode := ""
	if stdin {
		mode = bundle.StdinOnce
	}
	return t.Exec(ctx, e.id, p, mode)
}

// abandon gives up a process that could not be started.
func (e *execution) abandon(t execTask, err error) error {
	e.failed(err)
	ctx, cancel := context.WithTimeout(context.Background(), short)
	defer cancel()
	if gone := t.Delete(ctx); gone != nil {
		e.c.d.log.Debug("an exec that did not start", "exec", e.id, "error", gone)
	}
	return err
}

// failed notes why an exec did not run, in its exit code as Docker does.
func (e *execution) failed(err error) {
	e.finish(startExitCode(err))
}

// follow waits for the program's end.
func (e *execution) follow(t execTask) {
	code, err := t.Wait(e.c.d.ctx)
	if e.c.d.ctx.Err() != nil {
		return
	}
	if err != nil {
		e.c.d.log.Warn("an exec's end is not known", "exec", e.id, "error", err)
		code = 137 // it ended with its shim
	} else {
		ctx, cancel := context.WithTimeout(e.c.d.ctx, short)
		defer cancel()
		if err := t.Delete(ctx); err != nil {
			e.c.d.log.Debug("delete an exec that has ended", "exec", e.id, "error", err)
		}
	}
	e.finish(code)
	e.c.emit(events.ActionExecDie, map[string]string{"execID": e.id, "exitCode": strconv.Itoa(code)})
}

func (e *execution) finish(code int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.task, e.exit, e.ended = nil, &code, e.c.d.clock.Now()
	close(e.done)
}

// ContainerExecInspect answers what is known of an exec.
func (d *Daemon) ContainerExecInspect(_ context.Context, id string) (container.ExecInspectResponse, error) {
	e, err := d.execs.get(id)
	if err != nil {
		return container.ExecInspectResponse{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.request
	return container.ExecInspectResponse{
		ID: e.id, Running: e.task != nil, ExitCode: e.exit, Pid: e.pid, ContainerID: e.c.id,
		OpenStdin: r.AttachStdin, OpenStdout: r.AttachStdout, OpenStderr: r.AttachStderr, CanRemove: e.exit != nil,
		ProcessConfig: &container.ExecProcessConfig{Tty: r.Tty, Entrypoint: r.Cmd[0], Arguments: nonNil(r.Cmd[1:]), User: r.User, Privileged: &r.Privileged},
	}, nil
}

// ContainerExecResize sets the size of an exec's terminal in characters.
func (d *Daemon) ContainerExecResize(ctx context.Context, id string, height, width uint32) error {
	e, err := d.execs.get(id)
	if err != nil {
		return err
	}
	e.mu.Lock()
	t := e.task
	e.mu.Unlock()
	if t == nil {
		return fault.Conflict("exec %s is not running", id)
	}
	ctx, cancel := context.WithTimeout(ctx, short)
	defer cancel()
	return t.Resize(ctx, height, width)
}
