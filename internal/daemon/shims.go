//go:build linux

package daemon

import (
	"context"
	"net"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/daemon/record"
	"wherry/internal/shim/bundle"
	"wherry/internal/shim/client"
)

var (
	errUnavailable = errdefs.ErrUnavailable
	errNotModified = errdefs.ErrNotModified
)

// shims starts and finds the processes that run containers.
type shims interface {
	// Start runs a shim for a bundle that holds a config.json.
	Start(ctx context.Context, id, dir string) (task, error)
	// Connect finds the shim of a bundle again.
	Connect(ctx context.Context, id, dir string) (task, error)
	// Delete ends what is left of a container whose shim does not answer, and
	// tells how it ended. It is no error that nothing is left.
	Delete(ctx context.Context, id, dir string) (bundle.ExitStatus, error)
	// Walls answers which walls a shim can put up on this machine.
	Walls(ctx context.Context) (bundle.Walls, error)
}

// task is one container in its shim, from Create to Delete.
type task interface {
	// Create makes the container process and binds its ports; the program
	// waits. It answers the process's pid.
	Create(ctx context.Context) (int, error)
	Start(ctx context.Context) error
	State(ctx context.Context) (taskState, error)
	// Wait answers when the container has ended; an error means that the shim
	// went away.
	Wait(ctx context.Context) (bundle.ExitStatus, error)
	Kill(ctx context.Context, signal uint32) error
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
	Resize(ctx context.Context, height, width uint32) error
	// Update changes the limits of a running container's cgroup.
	Update(ctx context.Context, r *specs.LinuxResources) error
	Metrics(ctx context.Context) (client.Metrics, error)
	// Exec adds a further process; stdin is a value of bundle.Stdin.
	Exec(ctx context.Context, id string, p *specs.Process, stdin string) (execTask, error)
	// Delete forgets the ended container, and Shutdown ends its shim.
	Delete(ctx context.Context) error
	Shutdown(ctx context.Context) error
	// Close ends this connection; the shim stays.
	Close() error
}

// execTask is a further process in a container, from Exec to Delete.
type execTask interface {
	// Attach connects to its streams, in Docker's frames.
	Attach(ctx context.Context) (net.Conn, error)
	// Start answers the process's pid.
	Start(ctx context.Context) (int, error)
	Wait(ctx context.Context) (code int, err error)
	Kill(ctx context.Context, signal uint32) error
	Resize(ctx context.Context, height, width uint32) error
	Delete(ctx context.Context) error
}

// taskState is what a shim says of its container.
type taskState struct {
	Status taskStatus
	Pid    int
	Exit   bundle.ExitStatus
}

type taskStatus int

const (
	taskCreated taskStatus = iota
	taskRunning
	taskPaused
	taskStopped
)

// programs is what containers need of the images.
type programs interface {
	// Program answers what an image runs, its files flattened and ready, and
	// kept for holder until Release; or errdefs.ErrNotFound.
	Program(ctx context.Context, holder, ref, platform string) (program, error)
	// Release gives up what was kept for holder.
	Release(ctx context.Context, holder string) error
	// Holders lists those for whom something is kept.
	Holders(ctx context.Context) ([]string, error)
}

// program is an image as a container needs it.
type program struct {
	record.Image
	Config *container.Config
}
