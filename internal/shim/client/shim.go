package client

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"

	"github.com/containerd/cgroups/v3/cgroup2/stats"
	task "github.com/containerd/containerd/api/runtime/task/v2"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/proto"

	"wherry/internal/shim/bundle"
)

// Shim is a connection to the shim of one container. Its methods are safe for
// concurrent use. Errors have errdefs' classes: ErrUnavailable where the shim
// is gone.
type Shim struct {
	id, bundle string
	conn       *ttrpc.Client
	tasks      task.TaskService
	gone       chan struct{}
}

func connect(ctx context.Context, dir, id, address string) (*Shim, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", strings.TrimPrefix(address, "unix://"))
	if err != nil {
		return nil, fmt.Errorf("connect to the shim of container %s: %w", id, unavailable{err})
	}
	s := &Shim{id: id, bundle: dir, gone: make(chan struct{})}
	var once sync.Once
	s.conn = ttrpc.NewClient(conn, ttrpc.WithOnClose(func() { once.Do(func() { close(s.gone) }) }))
	s.tasks = task.NewTaskClient(s.conn)
	return s, nil
}

// ID is the container's.
func (s *Shim) ID() string { return s.id }

// Gone is closed when the connection is: by Close, or because the shim ended.
func (s *Shim) Gone() <-chan struct{} { return s.gone }

// Close closes the connection. Shim and container live on.
func (s *Shim) Close() error { return s.conn.Close() }

// Create makes the container's process, whose guest waits for Start, and gives
// its pid. The module is compiled first where it never was; the bundle's file
// "compiling" is there meanwhile.
func (s *Shim) Create(ctx context.Context) (pid int, err error) {
	r, err := s.tasks.Create(ctx, &task.CreateTaskRequest{ID: s.id, Bundle: s.bundle})
	if err != nil {
		return 0, native(err)
	}
	return int(r.Pid), nil
}

// Start lets the guest run. Whoever has attached before gets its first byte.
func (s *Shim) Start(ctx context.Context) error {
	_, err := s.tasks.Start(ctx, &task.StartRequest{ID: s.id})
	return native(err)
}

// Status is where a container is in its life.
type Status string

// The statuses of a container. Unknown is one that is being created.
const (
	Unknown Status = "unknown"
	Created Status = "created"
	Running Status = "running"
	Paused  Status = "paused"
	Stopped Status = "stopped"
)

var statuses = map[tasktypes.Status]Status{
	tasktypes.Status_CREATED: Created,
	tasktypes.Status_RUNNING: Running,
	tasktypes.Status_PAUSED:  Paused,
	tasktypes.Status_STOPPED: Stopped,
}

// State is what a shim says of its container.
type State struct {
	Status Status
	PID    int
	// Exit is set once the container is stopped.
	Exit bundle.ExitStatus
}

// State asks for the container's state.
func (s *Shim) State(ctx context.Context) (State, error) {
	r, err := s.tasks.State(ctx, &task.StateRequest{ID: s.id})
	if err != nil {
		return State{}, native(err)
	}
	st := State{Status: Unknown, PID: int(r.Pid)}
	if known, ok := statuses[r.Status]; ok {
		st.Status = known
	}
	if st.Status == Stopped {
		st.Exit = withReason(s.bundle, r.ExitStatus, r.ExitedAt.AsTime())
	}
	return st, nil
}

// Wait returns when the container has ended and all its output is out.
func (s *Shim) Wait(ctx context.Context) (bundle.ExitStatus, error) {
	r, err := s.tasks.Wait(ctx, &task.WaitRequest{ID: s.id})
	if err != nil {
		return bundle.ExitStatus{}, native(err)
	}
	return withReason(s.bundle, r.ExitStatus, r.ExitedAt.AsTime()), nil
}

// Kill sends a signal by its Linux number. A terminating one ends the
// container, with exit code 128 plus the number. A container that has ended
// gives ErrNotFound.
func (s *Shim) Kill(ctx context.Context, signal int) error {
	_, err := s.tasks.Kill(ctx, &task.KillRequest{ID: s.id, Signal: uint32(signal)})
	return native(err)
}

// Pause stops the container's process until Resume.
func (s *Shim) Pause(ctx context.Context) error {
	_, err := s.tasks.Pause(ctx, &task.PauseRequest{ID: s.id})
	return native(err)
}

// Resume continues a paused container.
func (s *Shim) Resume(ctx context.Context) error {
	_, err := s.tasks.Resume(ctx, &task.ResumeRequest{ID: s.id})
	return native(err)
}

// Resize sets the size of the container's terminal in characters; without a
// terminal it does nothing.
func (s *Shim) Resize(ctx context.Context, width, height int) error {
	_, err := s.tasks.ResizePty(ctx, &task.ResizePtyRequest{ID: s.id, Width: uint32(width), Height: uint32(height)})
	return native(err)
}

// CloseStdin ends the guest's standard input.
func (s *Shim) CloseStdin(ctx context.Context) error {
	_, err := s.tasks.CloseIO(ctx, &task.CloseIORequest{ID: s.id, Stdin: true})
	return native(err)
}

// Pids lists the container's processes.
func (s *Shim) Pids(ctx context.Context) ([]int, error) {
	r, err := s.tasks.Pids(ctx, &task.PidsRequest{ID: s.id})
	if err != nil {
		return nil, native(err)
	}
	pids := make([]int, len(r.Processes))
	for i, p := range r.Processes {
		pids[i] = int(p.Pid)
	}
	return pids, nil
}

// Stats measures the container.
func (s *Shim) Stats(ctx context.Context) (*stats.Metrics, error) {
	r, err := s.tasks.Stats(ctx, &task.StatsRequest{ID: s.id})
	if err != nil {
		return nil, native(err)
	}
	m := &stats.Metrics{}
	if err := proto.Unmarshal(r.Stats.GetValue(), m); err != nil {
		return nil, fmt.Errorf("read the container's measurements: %w", err)
	}
	return m, nil
}

// Delete gives back what a container holds that has ended or was never started,
// and tells how it ended. The bundle folder stays the caller's.
func (s *Shim) Delete(ctx context.Context) (bundle.ExitStatus, error) {
	r, err := s.tasks.Delete(ctx, &task.DeleteRequest{ID: s.id})
	if err != nil {
		return bundle.ExitStatus{}, native(err)
	}
	return withReason(s.bundle, r.ExitStatus, r.ExitedAt.AsTime()), nil
}

// Shutdown ends the shim if it has no containers left. Attached clients still
// get what is left for them.
func (s *Shim) Shutdown(ctx context.Context) error {
	_, err := s.tasks.Shutdown(ctx, &task.ShutdownRequest{ID: s.id, Now: true})
	if err = native(err); errdefs.IsUnavailable(err) {
		return nil // gone is what it was to be
	}
	return err
}

// Attach connects to the container's streams: it gives the output from now on
// in Docker's multiplexed frames, and takes what is to be the guest's input.
func (s *Shim) Attach(ctx context.Context) (*net.UnixConn, error) {
	return Attach(ctx, s.bundle)
}

// Attach is Shim.Attach for a bundle.
func Attach(ctx context.Context, dir string) (*net.UnixConn, error) {
	return bundle.DialUnix(ctx, filepath.Join(dir, bundle.Attach))
}

// Ports are a container's published ports as they were bound.
func Ports(dir string) (ports []bundle.Port, err error) {
	if err := bundle.Read(dir, bundle.Ports, &ports); err != nil {
		return nil, err
	}
	return ports, nil
}

// ExitFile is how a container ended, from its bundle; for one whose shim is
// gone already.
func ExitFile(dir string) (st bundle.ExitStatus, err error) {
	err = bundle.Read(dir, bundle.Exit, &st)
	return st, err
}
