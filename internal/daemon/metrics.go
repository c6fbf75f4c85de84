//go:build linux

package daemon

import (
	"strings"

	cgroup1 "github.com/containerd/cgroups/v3/cgroup1/stats"
	cgroup2 "github.com/containerd/cgroups/v3/cgroup2/stats"
	"github.com/moby/moby/api/types/container"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"wherry/internal/shim/client"
)

// fillStats writes a shim's measurements in the API's form, the field names of
// each version of cgroups as Docker has them (moby, daemon/stats_unix.go).
func fillStats(s *container.StatsResponse, m client.Metrics) {
	switch {
	case m.V1 != nil:
		fillV1(s, m.V1)
	case m.V2 != nil:
		fillV2(s, m.V2)
	}
	// No limit shows as the machine's memory.
	if total := memTotal(); total > 0 && (s.MemoryStats.Limit == 0 || s.MemoryStats.Limit > total) {
		s.MemoryStats.Limit = total
	}
}

func fillV1(s *container.StatsResponse, m *cgroup1.Metrics) {
	usage, throttling := m.GetCPU().GetUsage(), m.GetCPU().GetThrottling()
	s.CPUStats.CPUUsage = container.CPUUsage{
		TotalUsage: usage.GetTotal(), PercpuUsage: usage.GetPerCPU(), UsageInKernelmode: usage.GetKernel(), UsageInUsermode: usage.GetUser(),
	}
	s.CPUStats.ThrottlingData = container.ThrottlingData{
		Periods: throttling.GetPeriods(), ThrottledPeriods: throttling.GetThrottledPeriods(), ThrottledTime: throttling.GetThrottledTime(),
	}
	memory := m.GetMemory().GetUsage()
	s.MemoryStats = container.MemoryStats{
		Stats: numbers(m.GetMemory()), Usage: memory.GetUsage(), MaxUsage: memory.GetMax(), Limit: memory.GetLimit(), Failcnt: memory.GetFailcnt(),
	}
	s.PidsStats = container.PidsStats{Current: m.GetPids().GetCurrent(), Limit: m.GetPids().GetLimit()}
	io := m.GetBlkio()
	s.BlkioStats = container.BlkioStats{
		IoServiceBytesRecursive: entries(io.GetIoServiceBytesRecursive()), IoServicedRecursive: entries(io.GetIoServicedRecursive()),
		IoQueuedRecursive: entries(io.GetIoQueuedRecursive()), IoServiceTimeRecursive: entries(io.GetIoServiceTimeRecursive()),
		IoWaitTimeRecursive: entries(io.GetIoWaitTimeRecursive()), IoMergedRecursive: entries(io.GetIoMergedRecursive()),
		IoTimeRecursive: entries(io.GetIoTimeRecursive()), SectorsRecursive: entries(io.GetSectorsRecursive()),
	}
}

func fillV2(s *container.StatsResponse, m *cgroup2.Metrics) {
	cpu := m.GetCPU()
	s.CPUStats.CPUUsage = container.CPUUsage{
		TotalUsage: cpu.GetUsageUsec() * 1000, UsageInKernelmode: cpu.GetSystemUsec() * 1000, UsageInUsermode: cpu.GetUserUsec() * 1000,
	}
	s.CPUStats.ThrottlingData = container.ThrottlingData{
		Periods: cpu.GetNrPeriods(), ThrottledPeriods: cpu.GetNrThrottled(), ThrottledTime: cpu.GetThrottledUsec() * 1000,
	}
	s.MemoryStats = container.MemoryStats{
		Stats: numbers(m.GetMemory()), Usage: m.GetMemory().GetUsage(), Limit: m.GetMemory().GetUsageLimit(),
		Failcnt: m.GetMemoryEvents().GetOom(),
	}
	s.PidsStats = container.PidsStats{Current: m.GetPids().GetCurrent(), Limit: m.GetPids().GetLimit()}
	for _, e := range m.GetIo().GetUsage() {
		s.BlkioStats.IoServiceBytesRecursive = append(s.BlkioStats.IoServiceBytesRecursive,
			container.BlkioStatEntry{Major: e.GetMajor(), Minor: e.GetMinor(), Op: "read", Value: e.GetRbytes()},
			container.BlkioStatEntry{Major: e.GetMajor(), Minor: e.GetMinor(), Op: "write", Value: e.GetWbytes()})
	}
}

// kernelNames turns the names of containerd's message for version 1 into those
// of memory.stat.
var kernelNames = strings.NewReplacer(
	"pg_pg_in", "pgpgin", "pg_pg_out", "pgpgout", "pg_fault", "pgfault", "pg_maj_fault", "pgmajfault",
	"hierarchical_swap_limit", "hierarchical_memsw_limit")

// numbers are the fields of a message that are lines of memory.stat: the API
// shows these by name. The others have fields of the API to themselves.
func numbers(m proto.Message) map[string]uint64 {
	r := m.ProtoReflect()
	if !r.IsValid() {
		return nil
	}
	all := map[string]uint64{}
	fields := r.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch name := string(f.Name()); {
		case f.Kind() != protoreflect.Uint64Kind,
			name == "usage", name == "usage_limit", name == "max_usage", strings.HasPrefix(name, "swap_"):
		default:
			all[kernelNames.Replace(name)] = r.Get(f).Uint()
		}
	}
	return all
}

func entries(list []*cgroup1.BlkIOEntry) []container.BlkioStatEntry {
	var out []container.BlkioStatEntry
	for _, e := range list {
		out = append(out, container.BlkioStatEntry{Major: e.GetMajor(), Minor: e.GetMinor(), Op: e.GetOp(), Value: e.GetValue()})
	}
	return out
}
