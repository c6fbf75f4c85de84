package shim

import (
	"context"
	"encoding/json"
	"fmt"
	"syscall"

	"github.com/containerd/containerd/api/events"
	task "github.com/containerd/containerd/api/runtime/task/v2"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/types/known/emptypb"
)

var (
	errCheckpoint = fmt.Errorf("Wasm containers have no checkpoints: %w", errdefs.ErrNotImplemented)
	errUpdate     = fmt.Errorf("the container has no cgroup, so its limits cannot be changed while it lives; give it one limit when it is created: %w", errdefs.ErrNotImplemented)
)

// Kill sends a signal, or what it means to a guest; see dispose.
func (s *service) Kill(_ context.Context, r *task.KillRequest) (*emptypb.Empty, error) {
	p, err := s.find(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	return empty, p.kill(syscall.Signal(r.Signal), r.All)
}

// Pause stops the process.
func (s *service) Pause(_ context.Context, r *task.PauseRequest) (*emptypb.Empty, error) {
	c, err := s.get(r.ID)
	if err != nil {
		return nil, err
	}
	if err := c.pause(); err != nil {
		return nil, err
	}
	s.events.publish(topicPaused, &events.TaskPaused{ContainerID: c.id})
	return empty, nil
}

// Resume continues a paused process.
func (s *service) Resume(_ context.Context, r *task.ResumeRequest) (*emptypb.Empty, error) {
	c, err := s.get(r.ID)
	if err != nil {
		return nil, err
	}
	if err := c.resume(); err != nil {
		return nil, err
	}
	s.events.publish(topicResumed, &events.TaskResumed{ContainerID: c.id})
	return empty, nil
}

// Pids lists a container's processes: those of its cgroup, or where there is
// none those that were started here.
func (s *service) Pids(_ context.Context, r *task.PidsRequest) (*task.PidsResponse, error) {
	c, err := s.get(r.ID)
	if err != nil {
		return nil, err
	}
	resp := &task.PidsResponse{}
	if !c.alive() {
		return resp, nil
	}
	if c.group != nil {
		pids, err := c.group.Pids()
		if err != nil {
			return nil, err
		}
		for _, pid := range pids {
			resp.Processes = append(resp.Processes, &tasktypes.ProcessInfo{Pid: uint32(pid)})
		}
	} else {
		resp.Processes = []*tasktypes.ProcessInfo{{Pid: uint32(c.pid())}}
		for _, f := range c.further.all(false) {
			if f.alive() {
				resp.Processes = append(resp.Processes, &tasktypes.ProcessInfo{Pid: uint32(f.pid())})
			}
		}
	}
	return resp, nil
}

// ResizePty sets the size of the container's terminal.
func (s *service) ResizePty(_ context.Context, r *task.ResizePtyRequest) (*emptypb.Empty, error) {
	p, err := s.find(r.ID, r.ExecID)
	if err != nil {
		return nil, err
	}
	return empty, p.resize(uint16(r.Width), uint16(r.Height))
}

// CloseIO ends the guest's input.
func (s *service) CloseIO(_ context.Context, r *task.CloseIORequest) (*emptypb.Empty, error) {
	p, err := s.find(r.ID, r.ExecID)
	if err != nil || !r.Stdin {
		return empty, err
	}
	return empty, p.closeStdin()
}

// Stats measures the container's process.
func (s *service) Stats(_ context.Context, r *task.StatsRequest) (*task.StatsResponse, error) {
	c, err := s.get(r.ID)
	if err != nil {
		return nil, err
	}
	if err := c.check(opStats); err != nil {
		return nil, err
	}
	m, err := c.measure()
	if err != nil {
		return nil, err
	}
	data, err := marshalAny(m)
	return &task.StatsResponse{Stats: data}, err
}

// Update changes limits of a living container, as far as its cgroup has them.
// The bound of the guest's own memory was set when it was made and stays.
func (s *service) Update(_ context.Context, r *task.UpdateTaskRequest) (*emptypb.Empty, error) {
	c, err := s.get(r.ID)
	if err != nil {
		return nil, err
	}
	if err := c.check(opUpdate); err != nil {
		return nil, err
	}
	if c.group == nil {
		return nil, errUpdate
	}
	if r.Resources == nil {
		return empty, nil
	}
	var res specs.LinuxResources
	if err := json.Unmarshal(r.Resources.Value, &res); err != nil {
		return nil, fmt.Errorf("update the container: its limits are %s, want the JSON of an OCI specification's linux.resources: %w: %w", r.Resources.TypeUrl, err, errdefs.ErrInvalidArgument)
	}
	return empty, c.update(&res)
}

// Checkpoint is not possible.
func (s *service) Checkpoint(_ context.Context, r *task.CheckpointTaskRequest) (*emptypb.Empty, error) {
	if _, err := s.get(r.ID); err != nil {
		return nil, err
	}
	return nil, errCheckpoint
}
