//go:build linux

package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/shim/bundle"
	"wherry/internal/shim/client"
)

// shimClient is [shims] over the real shim.
type shimClient struct{ program, address string }

var _ shims = shimClient{}

func newShims(cfg Config) shims {
	return shimClient{program: cfg.ShimPath, address: filepath.Join(cfg.RunRoot, "docker.sock")}
}

func (s shimClient) options(id, dir string) client.Options {
	return client.Options{Program: s.program, ID: id, Bundle: dir, Address: s.address}
}

// Start implements [shims].
func (s shimClient) Start(ctx context.Context, id, dir string) (task, error) {
	t, err := client.Start(ctx, s.options(id, dir))
	if err != nil {
		return nil, err
	}
	return shimTask{t}, nil
}

// Connect implements [shims].
func (s shimClient) Connect(ctx context.Context, _, dir string) (task, error) {
	t, err := client.Connect(ctx, dir)
	if err != nil {
		return nil, err
	}
	return shimTask{t}, nil
}

// Delete implements [shims].
func (s shimClient) Delete(ctx context.Context, id, dir string) (bundle.ExitStatus, error) {
	return client.Delete(ctx, s.options(id, dir))
}

// Walls implements [shims].
func (s shimClient) Walls(ctx context.Context) (bundle.Walls, error) {
	return client.Walls(ctx, s.program)
}

// shimTask is [task] over a connection to the real shim.
type shimTask struct{ *client.Shim }

var _ task = shimTask{}

// State implements [task].
func (t shimTask) State(ctx context.Context) (taskState, error) {
	st, err := t.Shim.State(ctx)
	if err != nil {
		return taskState{}, err
	}
	known := map[client.Status]taskStatus{
		client.Running: taskRunning, client.Paused: taskPaused, client.Stopped: taskStopped,
	}
	// What is being created counts as created: its program has not begun.
	return taskState{Status: known[st.Status], Pid: st.PID, Exit: st.Exit}, nil
}

// Kill implements [task].
func (t shimTask) Kill(ctx context.Context, signal uint32) error {
	return t.Shim.Kill(ctx, int(signal))
}

// Resize implements [task].
func (t shimTask) Resize(ctx context.Context, height, width uint32) error {
	return t.Shim.Resize(ctx, int(width), int(height))
}

// Exec implements [task].
func (t shimTask) Exec(ctx context.Context, id string, p *specs.Process, stdin string) (execTask, error) {
	e, err := t.Shim.Exec(ctx, id, p, stdin)
	if err != nil {
		return nil, err
	}
	return shimExec{e}, nil
}

// shimExec is [execTask] over a connection to the real shim.
type shimExec struct{ *client.Exec }

var _ execTask = shimExec{}

// Attach implements [execTask].
func (e shimExec) Attach(ctx context.Context) (net.Conn, error) {
	conn, err := e.Exec.Attach(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to the exec's streams: %w", err)
	}
	return conn, nil
}

// Wait implements [execTask].
func (e shimExec) Wait(ctx context.Context) (int, error) {
	code, _, err := e.Exec.Wait(ctx)
	return code, err
}

// Kill implements [execTask].
func (e shimExec) Kill(ctx context.Context, signal uint32) error {
	return e.Exec.Kill(ctx, int(signal))
}

// Resize implements [execTask].
func (e shimExec) Resize(ctx context.Context, height, width uint32) error {
	return e.Exec.Resize(ctx, int(width), int(height))
}

// Delete implements [task].
func (t shimTask) Delete(ctx context.Context) error {
	_, err := t.Shim.Delete(ctx)
	return err
}

// Shutdown implements [task]. The shim ends while it answers, or just before.
func (t shimTask) Shutdown(ctx context.Context) error {
	err := t.Shim.Shutdown(ctx)
	if err != nil && !errdefs.IsUnavailable(err) {
		return err
	}
	select {
	case <-t.Gone():
		return nil
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	case <-time.After(shutdownWait):
		// It may still be giving attached clients what is left for them.
		return nil
	}
}

// shutdownWait is how long the end of an ended container waits for its shim.
const shutdownWait = 200 * time.Millisecond
