package shim

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/containerd/containerd/api/events"
	task "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"wherry/internal/sandbox"
	"wherry/internal/shim/bundle"
	"wherry/internal/shim/stream"
)

// process is what a call of the task API is about: a container, or a further
// process in one.
type process interface {
	start(ctx context.Context) error
	pid() int
	state() *task.StateResponse
	wait(ctx context.Context) (bundle.ExitStatus, error)
	kill(sig syscall.Signal, all bool) error
	resize(width, height uint16) error
	closeStdin() error
	delete(ctx context.Context) (bundle.ExitStatus, error)
}

var (
	_ process = (*container)(nil)
	_ process = (*further)(nil)
)

// further is a further process in a container: another guest, with the same
// files, user namespace, network, walls and limits. Its statuses are a
// container's.
type further struct {
	id      string
	c       *container
	request *task.ExecProcessRequest
	spec    *spec // the container's, with this process
	streams *stream.Streams

	// exited is closed when the process is stopped and its exit is told.
	exited chan struct{}

	mu     sync.Mutex
	status status
	proc   *sandbox.Process // nil until it runs
	killed syscall.Signal
	exit   bundle.ExitStatus
	// abort ends a start under way.
	abort context.CancelCauseFunc
}

// furtherProcesses are those of a container.
type furtherProcesses struct {
	mu   sync.Mutex
	list map[string]*further
	// over: the container has ended, and nothing begins in it any more.
	over bool
}

// Exec adds a process to a container; Start, with the same ids, starts it.
func (s *service) Exec(_ context.Context, r *task.ExecProcessRequest) (*emptypb.Empty, error) {
	c, err := s.get(r.ID)
	if err != nil {
		return nil, err
	}
	if err := c.check(opExec); err != nil {
		return nil, err
	}
	f, err := c.newFurther(r)
	if err != nil {
		return nil, err
	}
	if err := c.further.add(f); err != nil {
		f.release()
		return nil, err
	}
	s.events.publish(topicExecAdded, &events.TaskExecAdded{ContainerID: c.id, ExecID: f.id})
	return empty, nil
}

func (l *furtherProcesses) add(f *further) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.over:
		return fmt.Errorf("exec in container %s: it has ended: %w", f.c.id, errdefs.ErrFailedPrecondition)
	case l.list[f.id] != nil:
		return fmt.Errorf("process %q of container %s: %w", f.id, f.c.id, errdefs.ErrAlreadyExists)
	case l.list == nil:
		l.list = map[string]*further{}
	}
	l.list[f.id] = f
	return nil
}

func (l *furtherProcesses) get(id string) *further {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.list[id]
}

// all gives the processes; with last there will be no more.
func (l *furtherProcesses) all(last bool) (list []*further) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = l.over || last
	for _, f := range l.list {
		list = append(list, f)
	}
	return list
}

// end ends the processes of a container that has ended, and returns when their
// exits are told.
func (l *furtherProcesses) end() {
	for _, f := range l.all(true) {
		if f.abandon() {
			<-f.exited
		}
	}
}

// newFurther reads what is to run and opens its streams.
func (c *container) newFurther(r *task.ExecProcessRequest) (*further, error) {
	if c.spec == nil {
		return nil, fmt.Errorf("exec in container %s: it keeps a pod and has no programs: %w", c.id, errdefs.ErrFailedPrecondition)
	}
	p := &specs.Process{}
	if err := json.Unmarshal(r.Spec.GetValue(), p); err != nil {
		return nil, fmt.Errorf("exec in container %s: its process is %s, want the JSON of an OCI specification's process: %w: %w", c.id, r.Spec.GetTypeUrl(), err, errdefs.ErrInvalidArgument)
	}
	if r.ExecID != filepath.Base(r.ExecID) || strings.HasPrefix(r.ExecID, ".") {
		return nil, fmt.Errorf("exec in container %s: %q is no id: %w", c.id, r.ExecID, errdefs.ErrInvalidArgument)
	}
	if len(p.Args) == 0 {
		return nil, fmt.Errorf("exec in container %s: the process has no args: %w", c.id, errdefs.ErrInvalidArgument)
	}
	p.Terminal = p.Terminal || r.Terminal
	f := &further{id: r.ExecID, c: c, request: r, spec: c.spec.with(p), status: created, exited: make(chan struct{})}
	if err := f.checkUser(); err != nil {
		return nil, err
	}
	cfg := stream.Config{
		Terminal: p.Terminal,
		Stdin:    r.Stdin, Stdout: r.Stdout, Stderr: r.Stderr,
		ID: c.id, Namespace: c.events.namespace, Logger: c.log,
	}
	if c.spec.embedded() && r.Stdout+r.Stderr == "" {
		// The embedded engine's streams: see bundle.ExecAttach.
		cfg.Attach, cfg.Stdin = bundle.ExecAttach(c.bundle, r.ExecID), ""
		cfg.StdinOpen, cfg.StdinOnce = r.Stdin != "", r.Stdin == bundle.StdinOnce
	}
	var err error
	if f.streams, err = stream.Open(cfg); err != nil {
		return nil, err
	}
	return f, nil
}

// start finds and compiles the program, and lets it run.
func (f *further) start(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f.mu.Lock()
	err := f.status.check(opStart)
	if err == nil {
		f.status, f.abort = creating, cancel
	}
	f.mu.Unlock()
	if err != nil {
		return err
	}
	defer f.streams.Started()
	proc, err := f.run(ctx)
	if err == nil {
		err = f.letRun(ctx, proc)
	}
	if err != nil {
		f.failed(err)
	}
	return err
}

// letRun begins the guest of a process that is ready.
func (f *further) letRun(ctx context.Context, proc *sandbox.Process) error {
	f.streams.Started()
	err := f.c.check(opExec)
	if err == nil {
		err = f.streams.Sync(ctx)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = proc.Run()
	}
	if err != nil {
		_ = proc.Signal(unix.SIGKILL) // it may have ended by itself
		<-proc.Done()
		return err
	}
	f.proc, f.status = proc, running
	// The end is told under the same lock, so after this.
	f.c.events.publish(topicExecStarted, &events.TaskExecStarted{ContainerID: f.c.id, ExecID: f.id, Pid: uint32(proc.PID())})
	go f.watch()
	return nil
}

// failed is the end of a process that could not be started. No event tells of
// it: Start does.
//
// Whoever reads its outputs sees their end.
func (f *further) failed(err error) {
	f.streams.Started()
	f.streams.Drain()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.exit = bundle.ExitStatus{Code: exitCode(err), Reason: err.Error(), ExitedAt: time.Now().UTC()}
	f.status = stopped
	close(f.exited)
}

// watch waits for the process's end and tells it, when all its output is where
// it belongs.
func (f *further) watch() {
	res := f.proc.Result()
	st := f.proc.Status()
	f.streams.Drain()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.exit = bundle.ExitStatus{Code: res.Code, Reason: res.Reason, OutOfMemory: res.OutOfMemory, ExitedAt: st.At.UTC()}
	if st.Signal == unix.SIGKILL && f.killed != 0 {
		f.exit.Code, f.exit.Reason, f.exit.OutOfMemory = 128+int(f.killed), "", false
	}
	f.status = stopped
	close(f.exited)
	f.c.events.publish(topicExit, &events.TaskExit{
		ContainerID: f.c.id, ID: f.id, Pid: uint32(f.proc.PID()),
		ExitStatus: uint32(f.exit.Code), ExitedAt: timestamppb.New(f.exit.ExitedAt),
	})
}

func (f *further) pid() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.proc == nil {
		return 0
	}
	return f.proc.PID()
}

func (f *further) alive() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status == running
}

// abandon ends the process without a word to the one who asked for it. It tells
// whether an end of it will be told.
func (f *further) abandon() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch f.status {
	case creating:
		f.abort(fmt.Errorf("exec in container %s: it has ended: %w", f.c.id, errdefs.ErrFailedPrecondition))
	case running:
		_ = f.proc.Signal(unix.SIGKILL) // its end is what is wanted
	case stopped:
	default:
		return false
	}
	return true
}

// kill does what a signal means to a guest. All that is in the container is no
// affair of this process.
func (f *further) kill(sig syscall.Signal, _ bool) error {
	what, err := dispose(sig)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.status.check(opKill); err != nil {
		return err
	}
	switch {
	case what == ignore:
		return nil
	case f.status == creating:
		if what == terminate {
			f.abort(fmt.Errorf("killed by signal %d while it was started: %w", int(sig), errdefs.ErrAborted))
		}
		return nil
	case f.proc == nil:
		return nil // not started: Delete ends it
	case what == terminate:
		if f.killed == 0 {
			f.killed = sig
		}
		sig = unix.SIGKILL
	}
	return processError(f.proc.Signal(sig))
}

func (f *further) check(op operation) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status.check(op)
}

func (f *further) resize(width, height uint16) error {
	if err := f.check(opResize); err != nil {
		return err
	}
	return f.streams.Resize(width, height)
}

func (f *further) closeStdin() error {
	if err := f.check(opCloseIO); err != nil {
		return err
	}
	f.streams.CloseStdin()
	return nil
}

func (f *further) wait(ctx context.Context) (bundle.ExitStatus, error) {
	select {
	case <-f.exited:
	case <-ctx.Done():
		return bundle.ExitStatus{}, context.Cause(ctx)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.exit, nil
}

// delete forgets a process that has ended, or was never started.
func (f *further) delete(context.Context) (bundle.ExitStatus, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.status.check(opDelete); err != nil {
		return bundle.ExitStatus{}, err
	}
	if f.status == created {
		f.exit = bundle.ExitStatus{ExitedAt: time.Now().UTC()}
		close(f.exited)
	}
	f.status = deleted
	f.release()
	l := &f.c.further
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.list, f.id)
	return f.exit, nil
}

// release gives back what the process holds outside itself.
func (f *further) release() {
	f.streams.Started()
	f.streams.Close()
	if upper := f.ownUpper(); upper != "" {
		if err := os.RemoveAll(upper); err != nil {
			f.c.log.Warn("remove what a process held", "exec", f.id, "error", err)
		}
	}
}

func (f *further) state() *task.StateResponse {
	pid := f.pid()
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &task.StateResponse{
		ID: f.id, Bundle: f.c.bundle, ExecID: f.id, Pid: uint32(pid), Status: apiStatus[f.status],
		Stdin: f.request.Stdin, Stdout: f.request.Stdout, Stderr: f.request.Stderr,
		Terminal: f.request.Terminal, ExitedAt: timestamppb.New(f.exit.ExitedAt),
	}
	if f.status == creating {
		r.Status = apiStatus[created]
	}
	if f.status == stopped {
		r.ExitStatus = uint32(f.exit.Code)
	}
	return r
}

// exitCode is what a failed start counts as, by the words that Docker counts
// by (daemon/errors.go).
func exitCode(err error) int {
	switch text := err.Error(); {
	case strings.Contains(text, "no such file or directory"):
		return 127
	case strings.Contains(text, "permission denied"), strings.Contains(text, "exec format error"):
		return 126
	}
	return 125
}

// ownUpper is the folder that holds what the file tree of a process needs beside
// a root of the container's own, where the process has another user than the
// container; see furtherFiles. It is empty for others.
func (f *further) ownUpper() string {
	if f.spec.embedded() || f.spec.sameUser(f.c.spec) {
		return ""
	}
	return filepath.Join(f.c.bundle, "upper-"+f.id)
}

// checkUser refuses a user who could not reach the container's files.
func (f *further) checkUser() error {
	if !f.spec.embedded() || f.spec.sameUser(f.c.spec) {
		return nil
	}
	u := f.spec.Process.User
	if os.Geteuid() != 0 {
		return fmt.Errorf("exec as user %d: the containers of an engine that does not run as root have one user, here %d: %w", u.UID, f.c.spec.Process.User.UID, errdefs.ErrInvalidArgument)
	}
	if u.UID != 0 {
		return fmt.Errorf("exec as user %d: what the container has written belongs to its user, %d; exec as that user or as root: %w", u.UID, f.c.spec.Process.User.UID, errdefs.ErrInvalidArgument)
	}
	return nil
}

// sameUser tells whether the processes of both are the same user's.
func (s *spec) sameUser(o *spec) bool {
	a, b := s.Process.User, o.Process.User
	return a.UID == b.UID && a.GID == b.GID
}

// with gives the specification of a further process in the container. What the
// request leaves open is as for the container's own, as with runc: a shim's score
// for a lack of memory would be the last that a guest should have.
func (s *spec) with(p *specs.Process) *spec {
	o := *s
	o.Process = p
	if p.OOMScoreAdj == nil {
		p.OOMScoreAdj = s.Process.OOMScoreAdj
	}
	if len(p.Rlimits) == 0 {
		p.Rlimits = s.Process.Rlimits
	}
	p.ApparmorProfile = cmp.Or(p.ApparmorProfile, s.Process.ApparmorProfile)
	p.SelinuxLabel = cmp.Or(p.SelinuxLabel, s.Process.SelinuxLabel)
	if o.embedded() {
		o.complete()
	}
	return &o
}
