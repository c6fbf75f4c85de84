//go:build linux

package code

import (
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Bounds of the compile child. A module is a stranger's: 800 KB of it can ask a
// compiler for hours, and for all of the machine's memory.
const (
	// MaxModule bounds a module's size in bytes.
	MaxModule = 1 << 30
	// A compile may take cpuBase seconds of processor time and cpuEach for each
	// MiB of the module, at most cpuMost. The slowest of the known modules took
	// 2 s a MiB (wazero, 75 MB); the rest is for slow machines.
	cpuBase, cpuEach, cpuMost = 60, 30, 900
	// It may take half of the machine's memory, within these bounds in bytes of
	// address space. The largest modules known (75 MB) take less than the least.
	memoryLeast, memoryMost = 4 << 30, 16 << 30
	// maxCode bounds what it writes, in bytes.
	maxCode = 8 << 30
	// maxFiles bounds its descriptors.
	maxFiles = 64
)

// cpuOf is what the compile of so many bytes may take, in seconds.
func cpuOf(size int64) uint64 {
	return uint64(min(cpuBase+cpuEach*(size>>20), cpuMost))
}

// memoryOf is the address space that a compile may take on a machine with so
// many bytes of memory.
func memoryOf(machine uint64) uint64 { return min(max(machine/2, memoryLeast), memoryMost) }

// bound limits what this process may use for a module of size bytes. Where it
// takes too much time it says so on w and ends.
func bound(size int64, w io.Writer) error {
	var machine unix.Sysinfo_t
	if err := unix.Sysinfo(&machine); err != nil {
		return fmt.Errorf("ask for the machine's memory: %w", err)
	}
	for which, n := range map[int]uint64{
		unix.RLIMIT_AS:     memoryOf(uint64(machine.Totalram) * uint64(machine.Unit)),
		unix.RLIMIT_FSIZE:  maxCode,
		unix.RLIMIT_NOFILE: maxFiles,
		unix.RLIMIT_CORE:   0,
	} {
		var l unix.Rlimit
		if err := unix.Getrlimit(which, &l); err != nil {
			return err
		}
		l.Max = min(l.Max, n)
		l.Cur = l.Max
		if err := unix.Setrlimit(which, &l); err != nil {
			return err
		}
	}
	return boundTime(cpuOf(size), w)
}

// boundTime lets this process take so many seconds of processor time. The
// kernel tells it, and kills it some seconds later if it did not hear.
func boundTime(seconds uint64, w io.Writer) error {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CPU, &l); err != nil {
		return err
	}
	l.Max = min(l.Max, seconds+5)
	l.Cur = max(1, min(seconds, l.Max-1))
	over := make(chan os.Signal, 1)
	signal.Notify(over, unix.SIGXCPU)
	go func() {
		<-over
		fmt.Fprintf(w, "the compile was stopped: a module of this size may take %d s of processor time\n", l.Cur)
		os.Exit(ExitFailed)
	}()
	return unix.Setrlimit(unix.RLIMIT_CPU, &l)
}
