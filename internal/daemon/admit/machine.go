package admit

import (
	"path"
	"slices"
	"strings"
)

// Machine is what the machine can do about the settings: facts that somebody
// else found out.
type Machine struct {
	// Cgroup is the version of the cgroups that this engine may make, "v1" or
	// "v2"; empty where it may make none, for the reason NoCgroup.
	Cgroup   string
	NoCgroup string
	// CgroupParent makes the path of a container's cgroup: parent + id. It ends
	// in "/", or in ":" where systemd makes the cgroups.
	CgroupParent string
	// Features are the limits that those cgroups have; see [Features].
	Features []string
	// CPUs and Mems are the processors and memory nodes to be had, as lists
	// such as "0-3,5".
	CPUs, Mems string
	// AppArmor tells that the kernel has it and it is switched on.
	AppArmor bool
	// SetGroups tells that the engine may give a process other groups than its
	// own: an ordinary user may not.
	SetGroups bool
	// OOMScore is the engine's own oom_score_adj; LowerOOMScore tells that it
	// may give its containers a lower one.
	OOMScore      int
	LowerOOMScore bool
}

// Features of cgroups that limits need. The controllers' names are those of
// cgroup v1; "cpu" and "memory" are what the controllers have everywhere.
const (
	FeatureCPU        = "cpu"
	FeatureRealtime   = "cpu.rt"
	FeatureCpuset     = "cpuset"
	FeatureMemory     = "memory"
	FeatureSwap       = "memory.swap"
	FeatureSwappiness = "memory.swappiness"
	FeatureOOMControl = "memory.oom_control"
	FeaturePids       = "pids"
	FeatureIOWeight   = "blkio.weight"
	FeatureIOThrottle = "blkio.throttle"
)

// Features lists what a machine's cgroups may have.
var Features = []string{
	FeatureCPU, FeatureRealtime, FeatureCpuset, FeatureMemory, FeatureSwap, FeatureSwappiness, FeatureOOMControl,
	FeaturePids, FeatureIOWeight, FeatureIOThrottle,
}

// Systemd tells that systemd makes the cgroups.
func (m Machine) Systemd() bool { return strings.HasSuffix(m.CgroupParent, ":") }

// CgroupPath is the path of a container's cgroup, in the form that the shim
// knows the driver by. parent is --cgroup-parent.
func (m Machine) CgroupPath(parent, id string) string {
	switch {
	case parent == "" && m.CgroupParent == "":
		return "/wherry/" + id
	case parent == "":
		return m.CgroupParent + id
	case m.Systemd():
		return parent + ":wherry:" + id
	default:
		return path.Join("/", parent, id)
	}
}

// lacks tells why a limit that needs a feature is not enforced; empty where it
// is. Without a feature it needs but a cgroup.
func (m Machine) lacks(feature string) string {
	switch {
	case m.Cgroup == "" && m.NoCgroup == "":
		return "this engine may make no cgroups"
	case m.Cgroup == "":
		return m.NoCgroup
	case feature != "" && !slices.Contains(m.Features, feature):
		return "this machine's cgroups (" + m.Cgroup + ") do not have it"
	}
	return ""
}
