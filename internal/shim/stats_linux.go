package shim

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/containerd/cgroups/v3/cgroup2/stats"
	"google.golang.org/protobuf/proto"
)

// ticks is USER_HZ, the unit of /proc/PID/stat's times: 100 on every
// architecture that Go runs on.
const ticks = 100

// measure reads the container's cgroup, in the message of its version, and
// without one the process.
func (c *container) measure() (proto.Message, error) {
	if c.group == nil {
		return measureProcess(c.pid(), c.memoryLimit)
	}
	s, err := c.group.Stats()
	if err != nil {
		return nil, err
	}
	kills, err := c.group.OOMKills()
	if err != nil {
		return nil, err
	}
	if c.group.Version() == 1 {
		return metricsV1(s, kills), nil
	}
	return metricsV2(s, kills), nil
}

// measureProcess fills the message of a cgroup v2 from /proc.
func measureProcess(pid int, limit uint64) (*stats.Metrics, error) {
	user, system, err := cpuTimes(pid)
	if err != nil {
		return nil, fmt.Errorf("measure the container: %w", err)
	}
	st, err := procFields(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, fmt.Errorf("measure the container: %w", err)
	}
	// Pages of the program's file are shared by all containers and do not
	// count, as in a cgroup, where the first user pays.
	anon := (st["RssAnon"] + st["RssShmem"]) * 1024
	m := &stats.Metrics{
		Pids: &stats.PidsStat{Current: st["Threads"]},
		CPU: &stats.CPUStat{
			UsageUsec: (user + system) * 1e6 / ticks, UserUsec: user * 1e6 / ticks, SystemUsec: system * 1e6 / ticks,
		},
		Memory: &stats.MemoryStat{
			Anon: anon, FileMapped: st["RssFile"] * 1024,
			Usage: anon, UsageLimit: limit, SwapUsage: st["VmSwap"] * 1024,
		},
	}
	// Needs the right to trace the process, which a container of this user's
	// may lack.
	if io, err := procFields(fmt.Sprintf("/proc/%d/io", pid)); err == nil {
		m.Io = &stats.IOStat{Usage: []*stats.IOEntry{{Rbytes: io["read_bytes"], Wbytes: io["write_bytes"], Rios: io["syscr"], Wios: io["syscw"]}}}
	}
	return m, nil
}

// cpuTimes reads utime and stime (proc_pid_stat(5)), in ticks.
func cpuTimes(pid int) (user, system uint64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// The name, in parentheses, may hold anything; fields count from behind it.
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) < 13 {
		return 0, 0, fmt.Errorf("/proc/%d/stat has %d fields behind the name", pid, len(fields))
	}
	if user, err = strconv.ParseUint(fields[11], 10, 64); err != nil {
		return 0, 0, err
	}
	system, err = strconv.ParseUint(fields[12], 10, 64)
	return user, system, err
}

// procFields reads the numbers of a file of lines "Name: number unit".
func procFields(path string) (map[string]uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fields := make(map[string]uint64)
	for lines := bufio.NewScanner(f); ; {
		if !lines.Scan() {
			return fields, lines.Err()
		}
		name, rest, _ := strings.Cut(lines.Text(), ":")
		if words := strings.Fields(rest); len(words) > 0 {
			if n, err := strconv.ParseUint(words[0], 10, 64); err == nil {
				fields[name] = n
			}
		}
	}
}
