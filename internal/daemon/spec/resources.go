package spec

import (
	"github.com/moby/moby/api/types/blkiodev"
	"github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"wherry/internal/daemon/fault"
)

// cpuPeriod is the period in which --cpus is counted, in microseconds, as
// under Docker.
const cpuPeriod = 100_000

// Resources writes limits in the specification's form.
func Resources(r container.Resources) (*specs.LinuxResources, error) {
	io, err := blockIO(r)
	if err != nil {
		return nil, err
	}
	return &specs.LinuxResources{Memory: memory(r), CPU: cpu(r), Pids: pids(r), BlockIO: io}, nil
}

func memory(r container.Resources) *specs.LinuxMemory {
	m := specs.LinuxMemory{}
	if r.Memory > 0 {
		m.Limit = &r.Memory
	}
	if r.MemoryReservation > 0 {
		m.Reservation = &r.MemoryReservation
	}
	if r.MemorySwap != 0 {
		m.Swap = &r.MemorySwap
	}
	if s := r.MemorySwappiness; s != nil && *s >= 0 {
		n := uint64(*s)
		m.Swappiness = &n
	}
	if r.OomKillDisable != nil && *r.OomKillDisable {
		m.DisableOOMKiller = r.OomKillDisable
	}
	if m == (specs.LinuxMemory{}) {
		return nil
	}
	return &m
}

func cpu(r container.Resources) *specs.LinuxCPU {
	c := specs.LinuxCPU{Cpus: r.CpusetCpus, Mems: r.CpusetMems}
	if r.CPUShares > 0 {
		n := uint64(r.CPUShares)
		c.Shares = &n
	}
	if r.NanoCPUs > 0 {
		period, quota := uint64(cpuPeriod), r.NanoCPUs*cpuPeriod/1e9
		c.Period, c.Quota = &period, &quota
	}
	if r.CPUPeriod > 0 {
		n := uint64(r.CPUPeriod)
		c.Period = &n
	}
	if r.CPUQuota != 0 {
		c.Quota = &r.CPUQuota
	}
	if r.CPURealtimePeriod > 0 {
		n := uint64(r.CPURealtimePeriod)
		c.RealtimePeriod = &n
	}
	if r.CPURealtimeRuntime != 0 {
		c.RealtimeRuntime = &r.CPURealtimeRuntime
	}
	if c == (specs.LinuxCPU{}) {
		return nil
	}
	return &c
}

// pids is the limit of processes and threads. Docker's 0 and -1 take one away.
func pids(r container.Resources) *specs.LinuxPids {
	if r.PidsLimit == nil {
		return nil
	}
	n := *r.PidsLimit
	if n <= 0 {
		n = -1
	}
	return &specs.LinuxPids{Limit: &n}
}

func blockIO(r container.Resources) (*specs.LinuxBlockIO, error) {
	io := specs.LinuxBlockIO{}
	asked := false
	if r.BlkioWeight > 0 {
		io.Weight, asked = &r.BlkioWeight, true
	}
	for _, w := range r.BlkioWeightDevice {
		major, minor, err := device(w.Path)
		if err != nil {
			return nil, err
		}
		d := specs.LinuxWeightDevice{Weight: &w.Weight}
		d.Major, d.Minor = major, minor
		io.WeightDevice, asked = append(io.WeightDevice, d), true
	}
	for _, t := range []struct {
		from []*blkiodev.ThrottleDevice
		to   *[]specs.LinuxThrottleDevice
	}{
		{r.BlkioDeviceReadBps, &io.ThrottleReadBpsDevice}, {r.BlkioDeviceWriteBps, &io.ThrottleWriteBpsDevice},
		{r.BlkioDeviceReadIOps, &io.ThrottleReadIOPSDevice}, {r.BlkioDeviceWriteIOps, &io.ThrottleWriteIOPSDevice},
	} {
		for _, from := range t.from {
			major, minor, err := device(from.Path)
			if err != nil {
				return nil, err
			}
			d := specs.LinuxThrottleDevice{Rate: from.Rate}
			d.Major, d.Minor = major, minor
			*t.to, asked = append(*t.to, d), true
		}
	}
	if !asked {
		return nil, nil
	}
	return &io, nil
}

// device answers the numbers of a device by its path on the host.
func device(path string) (major, minor int64, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, 0, fault.Invalid("limit of the device %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return 0, 0, fault.Invalid("limit of the device %s: it is no block device", path)
	}
	return int64(unix.Major(uint64(st.Rdev))), int64(unix.Minor(uint64(st.Rdev))), nil
}
