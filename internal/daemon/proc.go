//go:build linux

package daemon

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ticks is the unit of processor time in /proc: Linux shows it in hundredths
// of a second on every CPU that Go has (USER_HZ).
const ticks = time.Second / 100

// process is what /proc says of a container's process.
type process struct {
	pid, ppid    int
	state        byte
	tty          int
	user, system time.Duration
	threads      int
	started      time.Duration // since boot
	vsize        uint64        // bytes
	rss          uint64        // bytes
	uid          string
}

// readProcess reads a process's numbers, see proc_pid_stat(5) and
// proc_pid_status(5).
func readProcess(pid int) (process, error) {
	p := process{pid: pid}
	dir := fmt.Sprintf("/proc/%d/", pid)
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return p, err
	}
	// The program's name stands in parentheses and may hold anything.
	_, rest, ok := bytes.Cut(stat[max(0, bytes.LastIndexByte(stat, ')')):], []byte(" "))
	f := strings.Fields(string(rest))
	if !ok || len(f) < 22 {
		return p, fmt.Errorf("%sstat has an unknown form", dir)
	}
	n := func(i int) int64 { v, _ := strconv.ParseInt(f[i], 10, 64); return v }
	p.state, p.ppid, p.tty = f[0][0], int(n(1)), int(n(4))
	p.user, p.system = time.Duration(n(11))*ticks, time.Duration(n(12))*ticks
	p.threads, p.started = int(n(17)), time.Duration(n(19))*ticks
	p.vsize = uint64(n(20))
	p.rss = uint64(n(21)) * uint64(os.Getpagesize())
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		return p, err
	}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		if len(fields) == 0 {
			continue
		}
		if key == "Uid" {
			p.uid = fields[0]
		}
	}
	return p, nil
}

// systemTime is the processor time of all the machine's CPUs since boot, idle
// time included, see proc_stat(5).
func systemTime() time.Duration {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	var total time.Duration
	for i, f := range strings.Fields(line) {
		if i == 0 || i > 8 { // "cpu"; guest time is in user time already
			continue
		}
		v, _ := strconv.ParseInt(f, 10, 64)
		total += time.Duration(v) * ticks
	}
	return total
}

// memTotal is the machine's memory in bytes.
func memTotal() uint64 {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(info)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
			kib, _ := strconv.ParseUint(f[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// uptime is the time since boot.
func uptime() time.Duration {
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), " ")
	s, _ := strconv.ParseFloat(first, 64)
	return time.Duration(s * float64(time.Second))
}
