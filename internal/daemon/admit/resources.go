package admit

import (
	"slices"

	"github.com/moby/moby/api/types/container"
)

// resourceRules has a row for every field of container.Resources; a test holds
// that. The embedded engine needs no root and so has no cgroup to itself:
// memory is bounded inside the guest's engine, the rest is not bounded. Docker
// takes such settings with a warning where the kernel cannot do them, and so
// does this.
var resourceRules = []rule{
	{field: "CPUShares", verdict: warns, set: func(r request) bool { return r.h.CPUShares != 0 },
		why: "--cpu-shares is not enforced without cgroups"},
	{field: "Memory", why: "bounds the guest's own memory: growing beyond fails inside the guest"},
	{field: "NanoCPUs", verdict: warns, set: func(r request) bool { return r.h.NanoCPUs != 0 },
		why: "--cpus is not enforced without cgroups"},
	{field: "CgroupParent", verdict: warns, set: func(r request) bool { return r.h.CgroupParent != "" },
		why: "--cgroup-parent is not used: the embedded engine runs without cgroup control"},
	{field: "BlkioWeight", verdict: warns, set: func(r request) bool { return r.h.BlkioWeight != 0 },
		why: "--blkio-weight is not enforced without cgroups"},
	{field: "BlkioWeightDevice", verdict: warns, set: func(r request) bool { return len(r.h.BlkioWeightDevice) > 0 },
		why: "--blkio-weight-device is not enforced without cgroups"},
	{field: "BlkioDeviceReadBps", verdict: warns, set: func(r request) bool { return len(r.h.BlkioDeviceReadBps) > 0 },
		why: "--device-read-bps is not enforced without cgroups"},
	{field: "BlkioDeviceWriteBps", verdict: warns, set: func(r request) bool { return len(r.h.BlkioDeviceWriteBps) > 0 },
		why: "--device-write-bps is not enforced without cgroups"},
	{field: "BlkioDeviceReadIOps", verdict: warns, set: func(r request) bool { return len(r.h.BlkioDeviceReadIOps) > 0 },
		why: "--device-read-iops is not enforced without cgroups"},
	{field: "BlkioDeviceWriteIOps", verdict: warns, set: func(r request) bool { return len(r.h.BlkioDeviceWriteIOps) > 0 },
		why: "--device-write-iops is not enforced without cgroups"},
	{field: "CPUPeriod", verdict: warns, set: func(r request) bool { return r.h.CPUPeriod != 0 },
		why: "--cpu-period is not enforced without cgroups"},
	{field: "CPUQuota", verdict: warns, set: func(r request) bool { return r.h.CPUQuota != 0 },
		why: "--cpu-quota is not enforced without cgroups"},
	{field: "CPURealtimePeriod", verdict: warns, set: func(r request) bool { return r.h.CPURealtimePeriod != 0 },
		why: "--cpu-rt-period is not enforced without cgroups"},
	{field: "CPURealtimeRuntime", verdict: warns, set: func(r request) bool { return r.h.CPURealtimeRuntime != 0 },
		why: "--cpu-rt-runtime is not enforced without cgroups"},
	{field: "CpusetCpus", verdict: warns, set: func(r request) bool { return r.h.CpusetCpus != "" },
		why: "--cpuset-cpus is not enforced without cgroups"},
	{field: "CpusetMems", verdict: warns, set: func(r request) bool { return r.h.CpusetMems != "" },
		why: "--cpuset-mems is not enforced without cgroups"},
	{field: "Devices", verdict: refused, set: func(r request) bool { return len(r.h.Devices) > 0 },
		why: "--device: WASI has no devices; a file or folder is given with -v"},
	{field: "DeviceCgroupRules", verdict: refused, set: func(r request) bool { return len(r.h.DeviceCgroupRules) > 0 },
		why: "--device-cgroup-rule: WASI has no devices"},
	{field: "DeviceRequests", verdict: refused, set: func(r request) bool { return len(r.h.DeviceRequests) > 0 },
		why: "--gpus: WASI has no devices"},
	{field: "MemoryReservation", verdict: warns, set: func(r request) bool { return r.h.MemoryReservation != 0 },
		why: "--memory-reservation is not enforced without cgroups"},
	{field: "MemorySwap", verdict: warns, set: func(r request) bool { return r.h.MemorySwap > 0 && r.h.MemorySwap != r.h.Memory },
		why: "--memory-swap is not enforced without cgroups: the memory limit holds, swapped out or not"},
	{field: "MemorySwappiness", verdict: warns, set: func(r request) bool { return r.h.MemorySwappiness != nil && *r.h.MemorySwappiness != -1 },
		why: "--memory-swappiness is not enforced without cgroups"},
	{field: "OomKillDisable", verdict: warns, set: func(r request) bool { return r.h.OomKillDisable != nil && *r.h.OomKillDisable },
		why: "--oom-kill-disable is not enforced without cgroups"},
	{field: "PidsLimit", verdict: warns, set: func(r request) bool { return r.h.PidsLimit != nil && *r.h.PidsLimit > 0 },
		why: "--pids-limit is not enforced without cgroups; WASI cannot make processes anyway"},
	{field: "Ulimits", verdict: warns, set: func(r request) bool {
		return slices.ContainsFunc(r.h.Ulimits, func(u *container.Ulimit) bool { return u != nil && u.Name == "stack" })
	}, why: "--ulimit stack is not enforced: how large a guest's stack is its engine decides"},

	{field: "CPUCount", verdict: refused, set: func(r request) bool { return r.h.CPUCount != 0 }, why: "--cpu-count is of Windows only"},
	{field: "CPUPercent", verdict: refused, set: func(r request) bool { return r.h.CPUPercent != 0 }, why: "--cpu-percent is of Windows only"},
	{field: "IOMaximumIOps", verdict: refused, set: func(r request) bool { return r.h.IOMaximumIOps != 0 }, why: "--io-maxiops is of Windows only"},
	{field: "IOMaximumBandwidth", verdict: refused, set: func(r request) bool { return r.h.IOMaximumBandwidth != 0 }, why: "--io-maxbandwidth is of Windows only"},
}

// configRules has a row for every field of container.Config; a test holds
// that.
var configRules = []rule{
	{field: "Hostname"}, {field: "Domainname"},
	{field: "User", verdict: holds, why: "recorded and shown; WASI has no users, and files are made as the engine's user"},
	{field: "AttachStdin", verdict: holds, why: "the client's own note"},
	{field: "AttachStdout", verdict: holds, why: "the client's own note"},
	{field: "AttachStderr", verdict: holds, why: "the client's own note"},
	{field: "ExposedPorts"}, {field: "Tty"}, {field: "OpenStdin"}, {field: "StdinOnce"},
	{field: "Env"}, {field: "Cmd"},
	{field: "Healthcheck", verdict: warns, set: hasHealthcheck,
		why: "the health check is recorded but not run: checks inside a container are not built yet"},
	{field: "ArgsEscaped", verdict: holds, why: "of Windows only"},
	{field: "Image"}, {field: "Volumes"}, {field: "WorkingDir"}, {field: "Entrypoint"},
	{field: "NetworkDisabled"},
	{field: "OnBuild", verdict: holds, why: "of builds only"},
	{field: "Labels"}, {field: "StopSignal"}, {field: "StopTimeout"},
	{field: "Shell", verdict: holds, why: "of builds only"},
}

func hasHealthcheck(r request) bool {
	h := r.c.Healthcheck
	return h != nil && len(h.Test) > 0 && h.Test[0] != "NONE"
}
