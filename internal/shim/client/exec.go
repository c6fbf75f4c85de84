package client

import (
	"context"
	"encoding/json"
	"net"
	"time"

	task "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/types/known/anypb"

	"wherry/internal/shim/bundle"
)

// Exec is a further process in a container.
type Exec struct {
	shim *Shim
	id   string
}

// Exec adds a process to a running container, under an id that is its own there.
// stdin is a value of [bundle.Stdin]. The process is started by Start, and is
// there until Delete.
func (s *Shim) Exec(ctx context.Context, id string, p *specs.Process, stdin string) (*Exec, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	_, err = s.tasks.Exec(ctx, &task.ExecProcessRequest{
		ID: s.id, ExecID: id, Terminal: p.Terminal, Stdin: stdin,
		Spec: &anypb.Any{TypeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process", Value: data},
	})
	if err != nil {
		return nil, native(err)
	}
	return &Exec{shim: s, id: id}, nil
}

// Attach connects to the process's streams, as Shim.Attach does to the
// container's. Whoever attaches before Start gets all output.
func (e *Exec) Attach(ctx context.Context) (*net.UnixConn, error) {
	return bundle.DialUnix(ctx, bundle.ExecAttach(e.shim.bundle, e.id))
}

// Start finds, compiles and starts the program, and gives the process's pid. A
// program that cannot run gives an error in the words by which Docker's clients
// choose an exit code.
func (e *Exec) Start(ctx context.Context) (pid int, err error) {
	r, err := e.shim.tasks.Start(ctx, &task.StartRequest{ID: e.shim.id, ExecID: e.id})
	if err != nil {
		return 0, native(err)
	}
	return int(r.Pid), nil
}

// Wait returns when the process has ended, and all its output is out.
func (e *Exec) Wait(ctx context.Context) (code int, at time.Time, err error) {
	r, err := e.shim.tasks.Wait(ctx, &task.WaitRequest{ID: e.shim.id, ExecID: e.id})
	if err != nil {
		return 0, time.Time{}, native(err)
	}
	return int(r.ExitStatus), r.ExitedAt.AsTime(), nil
}

// Kill sends a signal by its Linux number, as Shim.Kill does.
func (e *Exec) Kill(ctx context.Context, signal int) error {
	_, err := e.shim.tasks.Kill(ctx, &task.KillRequest{ID: e.shim.id, ExecID: e.id, Signal: uint32(signal)})
	return native(err)
}

// Resize sets the size of the process's terminal in characters.
func (e *Exec) Resize(ctx context.Context, width, height int) error {
	_, err := e.shim.tasks.ResizePty(ctx, &task.ResizePtyRequest{ID: e.shim.id, ExecID: e.id, Width: uint32(width), Height: uint32(height)})
	return native(err)
}

// Delete forgets a process that has ended, or was not started.
func (e *Exec) Delete(ctx context.Context) error {
	_, err := e.shim.tasks.Delete(ctx, &task.DeleteRequest{ID: e.shim.id, ExecID: e.id})
	return native(err)
}
