package shim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/containerd/containerd/api/events"
	task "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/errdefs"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"wherry/internal/sandbox"
	"wherry/internal/shim/delegate"
	"wherry/internal/shim/stream"
)

// lingerIdle is how long, at the shim's own end, attached clients may take
// nothing of what is left for them before they are given up.
const lingerIdle = time.Minute

// service is the task API over the containers of this shim.
type service struct {
	opts     options
	log      *slog.Logger
	events   *publisher
	shutdown func()

	// standby gives the process that was made before the first container's
	// create, once; nil afterwards, and where there was none of that id.
	standby func(id string) *sandbox.Standby

	mu sync.Mutex
	// containers are those not deleted, the ones being created included.
	containers map[string]*container
	// delegated are those that another shim runs.
	delegated map[string]*delegate.Task
	// closed are the streams of deleted ones, whose clients may still read.
	closed []*stream.Streams
	// unneeded says that the end was asked for while there were containers yet.
	unneeded bool
}

var (
	_     task.TaskService = (*service)(nil)
	empty                  = &emptypb.Empty{}
)

func newService(o options, log *slog.Logger, events *publisher, standby func(string) *sandbox.Standby, shutdown func()) *service {
	return &service{
		opts: o, log: log, events: events, standby: standby, shutdown: shutdown,
		containers: make(map[string]*container), delegated: make(map[string]*delegate.Task),
	}
}

// close lets attached clients take what is left.
func (s *service) close() {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	for _, c := range closed {
		c.Linger(lingerIdle)
	}
}

// get finds a container.
func (s *service) get(id string) (*container, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.containers[id]
	if c == nil {
		return nil, fmt.Errorf("container %s does not exist: %w", id, errdefs.ErrNotFound)
	}
	return c, nil
}

// find finds a container, or with exec a further process in it.
func (s *service) find(id, exec string) (process, error) {
	c, err := s.get(id)
	if err != nil {
		return nil, err
	}
	if exec == "" {
		return c, nil
	}
	if f := c.further.get(exec); f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("process %q of container %s does not exist: %w", exec, id, errdefs.ErrNotFound)
}

// Create makes a container's process, with its guest instantiated and waiting.
func (s *service) Create(ctx context.Context, r *task.CreateTaskRequest) (*task.CreateTaskResponse, error) {
	if r.Checkpoint != "" {
		return nil, fmt.Errorf("restoring a checkpoint: %w", errCheckpoint)
	}
	c := newContainer(r, s.log, s.events)
	c.standby = s.standby(r.ID)
	defer func() {
		if c.standby != nil {
			c.standby.Discard()
			c.standby = nil
		}
	}()
	s.mu.Lock()
	if s.containers[r.ID] != nil {
		s.mu.Unlock()
		return nil, fmt.Errorf("container %s: %w", r.ID, errdefs.ErrAlreadyExists)
	}
	s.containers[r.ID] = c
	s.mu.Unlock()

	if err := c.create(ctx, r); err != nil {
		s.forget(c)
		var linux linuxProgram
		if errors.As(err, &linux) && s.opts.address != "" {
			return s.passOn(ctx, r, err)
		}
		return nil, err
	}
	return &task.CreateTaskResponse{Pid: uint32(c.pid())}, nil
}

// forget takes a container out of the list.
func (s *service) forget(c *container) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.containers, c.id)
	if c.streams != nil {
		s.closed = append(s.closed, c.streams)
	}
}

// Start lets the guest run.
func (s *service) Start(ctx context.Context, r *task.StartRequest) (*task.StartResponse, error) {
	c, err := s.find(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	return &task.StartResponse{Pid: uint32(c.pid())}, nil
}

// Delete gives back what a container that has ended, or never started, holds.
func (s *service) Delete(ctx context.Context, r *task.DeleteRequest) (*task.DeleteResponse, error) {
	if t := s.elsewhere(r.ID); t != nil {
		return s.deleteElsewhere(ctx, t, r)
	}
	p, err := s.find(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	exit, err := p.delete(ctx)
	if err != nil {
		return nil, err
	}
	at := timestamppb.New(exit.ExitedAt)
	resp := &task.DeleteResponse{Pid: uint32(p.pid()), ExitStatus: uint32(exit.Code), ExitedAt: at}
	c, ok := p.(*container)
	if !ok {
		return resp, nil
	}
	s.forget(c)
	s.events.publish(topicDelete, &events.TaskDelete{
		ContainerID: c.id, Pid: uint32(c.pid()), ExitStatus: uint32(exit.Code), ExitedAt: at,
	})
	s.endUnneeded()
	return resp, nil
}

// State tells where a container is in its life.
func (s *service) State(_ context.Context, r *task.StateRequest) (*task.StateResponse, error) {
	c, err := s.find(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	return c.state(), nil
}

// Wait returns when the container has ended.
func (s *service) Wait(ctx context.Context, r *task.WaitRequest) (*task.WaitResponse, error) {
	c, err := s.find(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	exit, err := c.wait(ctx)
	if err != nil {
		return nil, err
	}
	return &task.WaitResponse{ExitStatus: uint32(exit.Code), ExitedAt: timestamppb.New(exit.ExitedAt)}, nil
}

// Connect tells the pids.
func (s *service) Connect(_ context.Context, r *task.ConnectRequest) (*task.ConnectResponse, error) {
	resp := &task.ConnectResponse{ShimPid: uint32(os.Getpid())}
	if c, err := s.get(r.ID); err == nil {
		resp.TaskPid = uint32(c.pid())
	}
	return resp, nil
}

// Shutdown ends the shim, unless it still has containers. Then the last one's
// Delete does: containerd 2 asks once for a pod, after the end of the container
// that keeps it, and others of the pod may be there yet.
func (s *service) Shutdown(ctx context.Context, r *task.ShutdownRequest) (*emptypb.Empty, error) {
	s.shutdownElsewhere(ctx, r.ID)
	s.mu.Lock()
	s.unneeded = true
	s.mu.Unlock()
	s.endUnneeded()
	return empty, nil
}

// endUnneeded ends the shim where that was asked for and it has no containers
// any more.
func (s *service) endUnneeded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unneeded && len(s.containers)+len(s.delegated) == 0 {
		s.shutdown()
	}
}
