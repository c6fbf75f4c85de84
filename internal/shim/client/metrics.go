package client

import (
	"context"
	"fmt"
	"strings"

	cgroup1 "github.com/containerd/cgroups/v3/cgroup1/stats"
	cgroup2 "github.com/containerd/cgroups/v3/cgroup2/stats"
	task "github.com/containerd/containerd/api/runtime/task/v2"
	"google.golang.org/protobuf/proto"
)

// Metrics are a container's measurements. One of the two is set: V1 where its
// cgroup is of version 1; V2 otherwise, also for a container without a cgroup.
type Metrics struct {
	V1 *cgroup1.Metrics
	V2 *cgroup2.Metrics
}

// Metrics measures the container.
func (s *Shim) Metrics(ctx context.Context) (Metrics, error) {
	r, err := s.tasks.Stats(ctx, &task.StatsRequest{ID: s.id})
	if err != nil {
		return Metrics{}, native(err)
	}
	var m Metrics
	var into proto.Message
	// containerd's packages for the two are told apart by the type's name.
	if strings.Contains(r.Stats.GetTypeUrl(), ".cgroups.v1.") {
		m.V1 = &cgroup1.Metrics{}
		into = m.V1
	} else {
		m.V2 = &cgroup2.Metrics{}
		into = m.V2
	}
	if err := proto.Unmarshal(r.Stats.GetValue(), into); err != nil {
		return Metrics{}, fmt.Errorf("read the container's measurements: %w", err)
	}
	return m, nil
}
