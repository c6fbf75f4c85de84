//go:build linux

package code

import "testing"

func TestBounds(t *testing.T) {
	for size, want := range map[int64]uint64{0: 60, 1 << 20: 90, 9 << 20: 330, 100 << 20: 900, MaxModule: 900} {
		if got := cpuOf(size); got != want {
			t.Errorf("%d bytes may take %d s, want %d", size, got, want)
		}
	}
	for machine, want := range map[uint64]uint64{1 << 30: 4 << 30, 16 << 30: 8 << 30, 256 << 30: 16 << 30} {
		if got := memoryOf(machine); got != want {
			t.Errorf("on a machine of %d bytes a compile may have %d, want %d", machine, got, want)
		}
	}
}
