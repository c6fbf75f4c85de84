package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// convert takes a specification's resources (config-linux.md, "Control groups")
// for the library. Zero, there, is "as it was".
func convert(in *specs.LinuxResources) (*cgroups.Resources, error) {
	out := &cgroups.Resources{}
	if in == nil {
		return out, nil
	}
	if m := in.Memory; m != nil {
		out.Memory, out.MemoryReservation, out.MemorySwap = value(m.Limit), value(m.Reservation), value(m.Swap)
		out.MemorySwappiness = m.Swappiness
		out.OomKillDisable = value(m.DisableOOMKiller)
		out.MemoryCheckBeforeUpdate = value(m.CheckBeforeUpdate)
		for name, n := range map[string]int64{"limit": out.Memory, "reservation": out.MemoryReservation, "swap": out.MemorySwap} {
			if n < -1 {
				return nil, fmt.Errorf("linux.resources.memory.%s is %d; want bytes, or -1 for no limit: %w", name, n, errdefs.ErrInvalidArgument)
			}
		}
	}
	if c := in.CPU; c != nil {
		out.CpuShares, out.CpuWeight = value(c.Shares), cgroups.ConvertCPUSharesToCgroupV2Value(value(c.Shares))
		out.CpuQuota, out.CpuPeriod, out.CpuBurst = value(c.Quota), value(c.Period), c.Burst
		out.CpuRtRuntime, out.CpuRtPeriod = value(c.RealtimeRuntime), value(c.RealtimePeriod)
		out.CpusetCpus, out.CpusetMems, out.CPUIdle = c.Cpus, c.Mems, c.Idle
	}
	// Engines that cannot say nothing say 0.
	if p := in.Pids; p != nil && value(p.Limit) != 0 {
		out.PidsLimit = p.Limit
	}
	if b := in.BlockIO; b != nil {
		out.BlkioWeight, out.BlkioLeafWeight = value(b.Weight), value(b.LeafWeight)
		for _, d := range b.WeightDevice {
			out.BlkioWeightDevice = append(out.BlkioWeightDevice, cgroups.NewWeightDevice(d.Major, d.Minor, value(d.Weight), value(d.LeafWeight)))
		}
		out.BlkioThrottleReadBpsDevice = throttles(b.ThrottleReadBpsDevice)
		out.BlkioThrottleWriteBpsDevice = throttles(b.ThrottleWriteBpsDevice)
		out.BlkioThrottleReadIOPSDevice = throttles(b.ThrottleReadIOPSDevice)
		out.BlkioThrottleWriteIOPSDevice = throttles(b.ThrottleWriteIOPSDevice)
	}
	for _, h := range in.HugepageLimits {
		out.HugetlbLimit = append(out.HugetlbLimit, &cgroups.HugepageLimit{Pagesize: h.Pagesize, Limit: h.Limit})
	}
	for name, r := range in.Rdma {
		if out.Rdma == nil {
			out.Rdma = make(map[string]cgroups.LinuxRdma)
		}
		out.Rdma[name] = cgroups.LinuxRdma{HcaHandles: r.HcaHandles, HcaObjects: r.HcaObjects}
	}
	if n := in.Network; n != nil {
		out.NetClsClassid = value(n.ClassID)
		for _, p := range n.Priorities {
			out.NetPrioIfpriomap = append(out.NetPrioIfpriomap, &cgroups.IfPrioMap{Interface: p.Name, Priority: int64(p.Priority)})
		}
	}
	if len(in.Unified) > 0 {
		if !cgroups.IsCgroup2UnifiedMode() {
			return nil, fmt.Errorf("linux.resources.unified asks for cgroups of version 2, and this machine has version 1; say it with memory, cpu and the like: %w", errdefs.ErrFailedPrecondition)
		}
		out.Unified = in.Unified
	}
	return out, nil
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func throttles(in []specs.LinuxThrottleDevice) (out []*cgroups.ThrottleDevice) {
	for _, d := range in {
		out = append(out, cgroups.NewThrottleDevice(d.Major, d.Minor, d.Rate))
	}
	return out
}

// complete fills in what an update leaves out and what goes with it: a quota
// is one of a period, and on version 1 the limit with swap bounds that without.
func (g *Group) complete(r *cgroups.Resources) {
	if r.CpuQuota != 0 && r.CpuPeriod == 0 {
		r.CpuPeriod = g.last.CpuPeriod
	}
	if r.CpuPeriod != 0 && r.CpuQuota == 0 {
		r.CpuQuota = g.last.CpuQuota
	}
	if r.Memory > 0 && r.MemorySwap == 0 && g.last.MemorySwap > 0 && g.last.Memory > 0 {
		r.MemorySwap = r.Memory + g.last.MemorySwap - g.last.Memory
	}
}

// need is a controller that a limit takes.
type need struct {
	// v1 and v2 name the controller.
	v1, v2 string
	// limit is what the user asked for, as the specification names it.
	limit string
}

// needs are the controllers that resources take. Shares of the processor and
// of block I/O, and "no limit", do without: they weigh against others, and a
// group without the controller has no weight.
func needs(r *cgroups.Resources) (list []need) {
	add := func(asked bool, v1, v2, limit string) {
		if asked {
			list = append(list, need{v1, v2, limit})
		}
	}
	add(r.Memory > 0 || r.MemoryReservation > 0 || r.MemorySwap > 0, "memory", "memory", "a memory limit")
	add(r.CpuQuota > 0, "cpu", "cpu", "a CPU quota (--cpus)")
	add(r.CpusetCpus+r.CpusetMems != "", "cpuset", "cpuset", "a set of CPUs or memory nodes")
	add(r.PidsLimit != nil && *r.PidsLimit > 0, "pids", "pids", "a limit on processes")
	add(len(r.BlkioThrottleReadBpsDevice)+len(r.BlkioThrottleWriteBpsDevice)+
		len(r.BlkioThrottleReadIOPSDevice)+len(r.BlkioThrottleWriteIOPSDevice) > 0, "blkio", "io", "a limit on block I/O")
	add(len(r.HugetlbLimit) > 0, "hugetlb", "hugetlb", "a limit on huge pages")
	add(len(r.Rdma) > 0, "rdma", "rdma", "a limit on RDMA")
	return list
}

// available holds that the controllers of limits are there, and leaves out of r
// what says nothing without them.
func (g *Group) available(r *cgroups.Resources) error {
	has := g.controllers()
	for _, n := range needs(r) {
		name := n.v1
		if g.v2 {
			name = n.v2
		}
		if slices.Contains(has, name) {
			continue
		}
		return fmt.Errorf("%s needs the cgroup controller %s, which the group %s does not have (it has: %s); %s, or leave the limit out: %w",
			n.limit, name, g.procs(), strings.Join(has, ", "), g.remedy(name), errdefs.ErrFailedPrecondition)
	}
	if !slices.Contains(has, "memory") {
		r.Memory, r.MemorySwap, r.MemoryReservation = 0, 0, 0
	} else if !g.v2 && r.MemorySwap != 0 && !cgroups.PathExists(filepath.Join(g.dir("memory"), "memory.memsw.limit_in_bytes")) {
		if r.MemorySwap > 0 {
			return fmt.Errorf("a limit on swap needs a kernel that counts swap (boot with swapaccount=1); leave the limit on swap out: %w", errdefs.ErrFailedPrecondition)
		}
		r.MemorySwap = 0
	}
	if !slices.Contains(has, "cpu") {
		r.CpuShares, r.CpuWeight, r.CpuQuota, r.CpuPeriod, r.CpuBurst, r.CPUIdle = 0, 0, 0, 0, nil, nil
	}
	if !slices.Contains(has, "pids") {
		r.PidsLimit = nil
	}
	if !slices.Contains(has, "io") && !slices.Contains(has, "blkio") {
		r.BlkioWeight, r.BlkioLeafWeight, r.BlkioWeightDevice = 0, 0, nil
	}
	if g.v2 {
		// These are of version 1 alone.
		r.NetClsClassid, r.NetPrioIfpriomap, r.CpuRtRuntime, r.CpuRtPeriod = 0, nil, 0, 0
	}
	return nil
}

// remedy says how to get a controller.
func (g *Group) remedy(name string) string {
	switch {
	case !g.v2:
		return fmt.Sprintf("mount it (mount -t cgroup -o %s cgroup %s/%s)", name, root, name)
	case os.Geteuid() != 0:
		return "delegate it to users (systemctl edit user@.service: [Service] Delegate=cpu cpuset io memory pids) and log in again"
	}
	return fmt.Sprintf("enable it (echo +%s > %s)", name, filepath.Join(filepath.Dir(g.dir("")), "cgroup.subtree_control"))
}

// controllers are those of the group, sorted.
func (g *Group) controllers() (names []string) {
	if g.v2 {
		text, err := cgroups.ReadFile(g.dir(""), "cgroup.controllers")
		if err != nil {
			return nil
		}
		names = strings.Fields(text)
	} else {
		for name, p := range g.mgr.GetPaths() {
			if name != "" && !strings.HasPrefix(name, "name=") && cgroups.PathExists(p) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// Asks tells whether resources hold a limit, which without a group would not
// hold. Weights alone are none.
func Asks(in *specs.LinuxResources) bool {
	r, err := convert(in)
	return err != nil || len(needs(r)) > 0 || len(r.Unified) > 0
}
