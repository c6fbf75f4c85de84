package shim

import (
	"context"

	task "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/sandbox"
	"wherry/internal/sandbox/wall"
	"wherry/internal/shim/bundle"
)

// keepsPod tells whether this is the container that CRI makes for a pod
// itself: it is there for its namespaces, which the pod's containers join. The
// program of its image is not run; a process of the shim's own takes its place.
func (s *spec) keepsPod() bool { return s.Annotations[bundle.ContainerType] == bundle.PodSandbox }

// createPause makes such a container's process.
func (c *container) createPause(ctx context.Context, r *task.CreateTaskRequest, s *spec) (_ *sandbox.Process, err error) {
	if c.streams, err = c.openStreams(r, s); err != nil {
		return nil, err
	}
	defer c.streams.Started()
	if err := c.makeGroup(s); err != nil {
		return nil, err
	}
	dir, err := makeJail(c.bundle)
	if err != nil {
		return nil, err
	}
	// CRI makes the network before; where it leaves that to us, as for a
	// sandbox by hand, nobody else brings the loopback up.
	_, own := wall.Namespace(&s.Spec, specs.NetworkNamespace)
	walls, err := sandbox.EnclosePause(&s.Spec, dir, own && s.joins(specs.NetworkNamespace) == "")
	if err != nil {
		return nil, err
	}
	standby := c.standby
	c.standby = nil
	return sandbox.Start(ctx, sandbox.Command{Name: c.id, Walls: walls, Pause: true, Place: c.place, Standby: standby})
}
