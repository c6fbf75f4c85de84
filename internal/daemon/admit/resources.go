package admit

import (
	"slices"

	"github.com/moby/moby/api/types/container"
)

// resourceRules has a row for every field of container.Resources; a test holds
// that. A limit works where the engine may make cgroups that have it. Docker
// takes limits with a warning where the kernel cannot do them, and so does
// this.
var resourceRules = []rule{
	limit("CPUShares", "--cpu-shares", FeatureCPU, func(r *container.Resources) bool { return r.CPUShares != 0 },
		func(r *container.Resources) { r.CPUShares = 0 }),
	// Memory is bounded inside the guest's engine besides, so there is nothing
	// to warn of where cgroups are missing.
	{field: "Memory", verdict: limits, option: "--memory", feature: FeatureMemory, anyway: true,
		why: "bounds the guest's own memory, too: growing beyond fails inside the guest",
		set: func(r request) bool { return r.h.Memory > 0 }, clear: func(*container.Resources) {}},
	limit("NanoCPUs", "--cpus", FeatureCPU, func(r *container.Resources) bool { return r.NanoCPUs != 0 },
		func(r *container.Resources) { r.NanoCPUs = 0 }),
	limit("CgroupParent", "--cgroup-parent", "", func(r *container.Resources) bool { return r.CgroupParent != "" },
		func(r *container.Resources) { r.CgroupParent = "" }),
	limit("BlkioWeight", "--blkio-weight", FeatureIOWeight, func(r *container.Resources) bool { return r.BlkioWeight != 0 },
		func(r *container.Resources) { r.BlkioWeight = 0 }),
	limit("BlkioWeightDevice", "--blkio-weight-device", FeatureIOWeight, func(r *container.Resources) bool { return len(r.BlkioWeightDevice) > 0 },
		func(r *container.Resources) { r.BlkioWeightDevice = nil }),
	limit("BlkioDeviceReadBps", "--device-read-bps", FeatureIOThrottle, func(r *container.Resources) bool { return len(r.BlkioDeviceReadBps) > 0 },
		func(r *container.Resources) { r.BlkioDeviceReadBps = nil }),
	limit("BlkioDeviceWriteBps", "--device-write-bps", FeatureIOThrottle, func(r *container.Resources) bool { return len(r.BlkioDeviceWriteBps) > 0 },
		func(r *container.Resources) { r.BlkioDeviceWriteBps = nil }),
	limit("BlkioDeviceReadIOps", "--device-read-iops", FeatureIOThrottle, func(r *container.Resources) bool { return len(r.BlkioDeviceReadIOps) > 0 },
		func(r *container.Resources) { r.BlkioDeviceReadIOps = nil }),
	limit("BlkioDeviceWriteIOps", "--device-write-iops", FeatureIOThrottle, func(r *container.Resources) bool { return len(r.BlkioDeviceWriteIOps) > 0 },
		func(r *container.Resources) { r.BlkioDeviceWriteIOps = nil }),
	limit("CPUPeriod", "--cpu-period", FeatureCPU, func(r *container.Resources) bool { return r.CPUPeriod != 0 },
		func(r *container.Resources) { r.CPUPeriod = 0 }),
	limit("CPUQuota", "--cpu-quota", FeatureCPU, func(r *container.Resources) bool { return r.CPUQuota != 0 },
		func(r *container.Resources) { r.CPUQuota = 0 }),
	limit("CPURealtimePeriod", "--cpu-rt-period", FeatureRealtime, func(r *container.Resources) bool { return r.CPURealtimePeriod != 0 },
		func(r *container.Resources) { r.CPURealtimePeriod = 0 }),
	limit("CPURealtimeRuntime", "--cpu-rt-runtime", FeatureRealtime, func(r *container.Resources) bool { return r.CPURealtimeRuntime != 0 },
		func(r *container.Resources) { r.CPURealtimeRuntime = 0 }),
	limit("CpusetCpus", "--cpuset-cpus", FeatureCpuset, func(r *container.Resources) bool { return r.CpusetCpus != "" },
		func(r *container.Resources) { r.CpusetCpus = "" }),
	limit("CpusetMems", "--cpuset-mems", FeatureCpuset, func(r *container.Resources) bool { return r.CpusetMems != "" },
		func(r *container.Resources) { r.CpusetMems = "" }),
	{field: "Devices", verdict: refused, set: func(r request) bool { return len(r.h.Devices) > 0 },
		why: "--device: WASI has no devices; a file or folder is given with -v"},
	{field: "DeviceCgroupRules", verdict: refused, set: func(r request) bool { return len(r.h.DeviceCgroupRules) > 0 },
		why: "--device-cgroup-rule: WASI has no devices"},
	{field: "DeviceRequests", verdict: refused, set: func(r request) bool { return len(r.h.DeviceRequests) > 0 },
		why: "--gpus: WASI has no devices"},
	limit("MemoryReservation", "--memory-reservation", FeatureMemory, func(r *container.Resources) bool { return r.MemoryReservation != 0 },
		func(r *container.Resources) { r.MemoryReservation = 0 }),
	limit("MemorySwap", "--memory-swap", FeatureSwap, func(r *container.Resources) bool { return r.MemorySwap > 0 && r.MemorySwap != r.Memory },
		func(r *container.Resources) { r.MemorySwap = 0 }),
	limit("MemorySwappiness", "--memory-swappiness", FeatureSwappiness,
		func(r *container.Resources) bool { return r.MemorySwappiness != nil && *r.MemorySwappiness != -1 },
		func(r *container.Resources) { r.MemorySwappiness = nil }),
	limit("OomKillDisable", "--oom-kill-disable", FeatureOOMControl,
		func(r *container.Resources) bool { return r.OomKillDisable != nil && *r.OomKillDisable },
		func(r *container.Resources) { r.OomKillDisable = nil }),
	limit("PidsLimit", "--pids-limit", FeaturePids, func(r *container.Resources) bool { return r.PidsLimit != nil && *r.PidsLimit > 0 },
		func(r *container.Resources) { r.PidsLimit = nil }),
	{field: "Ulimits", verdict: warns, set: func(r request) bool {
		return slices.ContainsFunc(r.h.Ulimits, func(u *container.Ulimit) bool { return u != nil && u.Name == "stack" })
	}, why: "--ulimit stack is not enforced: how large a guest's stack is its engine decides"},

	{field: "CPUCount", verdict: refused, set: func(r request) bool { return r.h.CPUCount != 0 }, why: "--cpu-count is of Windows only"},
	{field: "CPUPercent", verdict: refused, set: func(r request) bool { return r.h.CPUPercent != 0 }, why: "--cpu-percent is of Windows only"},
	{field: "IOMaximumIOps", verdict: refused, set: func(r request) bool { return r.h.IOMaximumIOps != 0 }, why: "--io-maxiops is of Windows only"},
	{field: "IOMaximumBandwidth", verdict: refused, set: func(r request) bool { return r.h.IOMaximumBandwidth != 0 }, why: "--io-maxbandwidth is of Windows only"},
}

// limit is a row for what only a cgroup enforces.
func limit(field, option, feature string, set func(*container.Resources) bool, clear func(*container.Resources)) rule {
	return rule{
		field: field, verdict: limits, option: option, feature: feature,
		set: func(r request) bool { return set(&r.h.Resources) }, clear: clear,
	}
}

// Enforced answers which of the limits hold on a machine, with those gone that
// do not, and whether any of them wants the container to have a cgroup.
func Enforced(all container.Resources, m Machine) (held container.Resources, cgroup bool) {
	held = all
	for _, rule := range resourceRules {
		if rule.verdict != limits || !rule.set(request{h: &container.HostConfig{Resources: all}}) {
			continue
		}
		if m.lacks(rule.feature) != "" {
			rule.clear(&held)
			continue
		}
		cgroup = true
	}
	return held, cgroup
}

// Limited tells whether any setting asks for what only a cgroup enforces.
func Limited(r container.Resources) bool {
	return slices.ContainsFunc(resourceRules, func(rule rule) bool {
		return rule.verdict == limits && rule.set(request{h: &container.HostConfig{Resources: r}})
	})
}

// configRules has a row for every field of container.Config; a test holds
// that.
var configRules = []rule{
	{field: "Hostname"}, {field: "Domainname"},
	{field: "User", why: "looked up in the image; the container's process runs as that user"},
	{field: "AttachStdin", verdict: holds, why: "the client's own note"},
	{field: "AttachStdout", verdict: holds, why: "the client's own note"},
	{field: "AttachStderr", verdict: holds, why: "the client's own note"},
	{field: "ExposedPorts"}, {field: "Tty"}, {field: "OpenStdin"}, {field: "StdinOnce"},
	{field: "Env"}, {field: "Cmd"},
	{field: "Healthcheck", verdict: refused, set: shellCheck, why: NoShell},
	{field: "ArgsEscaped", verdict: holds, why: "of Windows only"},
	{field: "Image"}, {field: "Volumes"}, {field: "WorkingDir"}, {field: "Entrypoint"},
	{field: "NetworkDisabled"},
	{field: "OnBuild", verdict: holds, why: "of builds only"},
	{field: "Labels"}, {field: "StopSignal"}, {field: "StopTimeout"},
	{field: "Shell", verdict: holds, why: "of builds only"},
}

// NoShell is why a health check in the words of a shell is not run.
const NoShell = "a health check in the words of a shell (--health-cmd, CMD-SHELL) cannot run, there is no shell among WebAssembly programs: name a module and its arguments as a list, HEALTHCHECK CMD [\"/check.wasm\"]"

func shellCheck(r request) bool {
	h := r.c.Healthcheck
	return h != nil && len(h.Test) > 0 && h.Test[0] != "NONE" && h.Test[0] != "CMD"
}
