package client

import (
	"context"
	"encoding/json"

	task "github.com/containerd/containerd/api/runtime/task/v2"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/types/known/anypb"
)

// resourcesType names what Update carries, in the form that containerd gives
// types of JSON (typeurl).
const resourcesType = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"

// Update changes the limits of a running container; what r leaves out stays.
func (s *Shim) Update(ctx context.Context, r *specs.LinuxResources) error {
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = s.tasks.Update(ctx, &task.UpdateTaskRequest{ID: s.id, Resources: &anypb.Any{TypeUrl: resourcesType, Value: value}})
	return native(err)
}
