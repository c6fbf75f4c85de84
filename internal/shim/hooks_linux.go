package shim

import (
	"context"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/shim/hook"
)

// poststopTime bounds what hooks may take at a container's end, where
// containerd waits.
const poststopTime = 5 * time.Second

// checkHooks refuses hooks that cannot be run, before anything is made.
func checkHooks(s *spec) error {
	h := s.Hooks
	if h == nil {
		return nil
	}
	if len(h.CreateContainer)+len(h.StartContainer) > 0 {
		return fmt.Errorf("hooks.createContainer and hooks.startContainer run inside the container, which has no Linux programs: use createRuntime and poststart: %w", errdefs.ErrInvalidArgument)
	}
	//lint:ignore SA1019 Docker up to 27 wires its network by this kind.
	for _, list := range [][]specs.Hook{h.Prestart, h.CreateRuntime, h.Poststart, h.Poststop} {
		if err := hook.Check(list); err != nil {
			return err
		}
	}
	return nil
}

// hookState is what hooks are told of the container.
func hookState(s *spec, id, bundle string, status specs.ContainerState, pid int) specs.State {
	return specs.State{
		Version: specs.Version, ID: id, Status: status, Pid: pid,
		Bundle: bundle, Annotations: s.Annotations,
	}
}

// createHooks runs what must be done between the making of the namespaces and
// the guest's start: Docker and nerdctl wire the network there.
func (c *container) createHooks(ctx context.Context, s *spec, pid int) error {
	if s.Hooks == nil {
		return nil
	}
	state := hookState(s, c.id, c.bundle, specs.StateCreating, pid)
	//lint:ignore SA1019 Docker up to 27 wires its network by this kind.
	if err := hook.Run(ctx, "prestart", s.Hooks.Prestart, state); err != nil {
		return err
	}
	return hook.Run(ctx, "createRuntime", s.Hooks.CreateRuntime, state)
}

// startHooks runs what follows the guest's start. Nothing is lost where that
// fails (OCI runtime-spec, "Lifecycle").
func (c *container) startHooks(ctx context.Context) {
	if c.hooks == nil {
		return
	}
	state := hookState(c.hooks, c.id, c.bundle, specs.StateRunning, c.proc.PID())
	if err := hook.RunAll(ctx, "poststart", c.hooks.Hooks.Poststart, state); err != nil {
		c.log.Warn("after the container's start", "error", err)
	}
}

// stopHooks runs what follows a container's end.
func stopHooks(s *spec, id, bundle string) error {
	if s.Hooks == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), poststopTime)
	defer cancel()
	return hook.RunAll(ctx, "poststop", s.Hooks.Poststop, hookState(s, id, bundle, specs.StateStopped, 0))
}
