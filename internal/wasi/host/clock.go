//go:build linux

package host

import (
	"time"

	"golang.org/x/sys/unix"
)

// Clock is a clock of the host. The numbers are those of Linux and of WASI
// preview1, which agree:
// 0 realtime, 1 monotonic, 2 process CPU time, 3 thread CPU time.
type Clock uint32

// The clocks a guest may read.
const (
	Realtime   Clock = 0
	Monotonic  Clock = 1
	ProcessCPU Clock = 2
	ThreadCPU  Clock = 3
)

// monotonicBase ties Go's monotonic readings, which cost no system call, to
// CLOCK_MONOTONIC, so that what Now answers can be compared with it.
var (
	startTime     = time.Now()
	monotonicBase = readClock(unix.CLOCK_MONOTONIC) - uint64(time.Since(startTime))
)

// Now reads a clock, in nanoseconds. An unknown clock gives unix.EINVAL.
func Now(c Clock) (uint64, error) {
	switch c {
	case Realtime:
		return uint64(time.Now().UnixNano()), nil
	case Monotonic:
		return monotonicBase + uint64(time.Since(startTime)), nil
	case ProcessCPU:
		return readClock(unix.CLOCK_PROCESS_CPUTIME_ID), nil
	case ThreadCPU:
		return readClock(unix.CLOCK_THREAD_CPUTIME_ID), nil
	}
	return 0, unix.EINVAL
}

// Resolution is the smallest step of a clock, in nanoseconds. An unknown clock
// gives unix.EINVAL.
func Resolution(c Clock) (uint64, error) {
	if c > ThreadCPU {
		return 0, unix.EINVAL
	}
	var ts unix.Timespec
	if err := unix.ClockGetres(int32(c), &ts); err != nil {
		return 0, err
	}
	return uint64(ts.Nano()), nil
}

// readClock reads one of the four clocks above, which Linux always has.
func readClock(id int32) uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		panic("clock_gettime: " + err.Error())
	}
	return uint64(ts.Nano())
}
