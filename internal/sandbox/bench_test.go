//go:build linux

package sandbox

import (
	"slices"
	"testing"
	"time"
)

// BenchmarkWalls times what a process's walls take, from its plan to its word
// that they stand, and its end within them.
func BenchmarkWalls(b *testing.B) {
	r := newRoom(b)
	walls, err := Enclose(r.Enclosure)
	if err != nil {
		b.Fatal(err)
	}
	var built, ended []time.Duration
	for b.Loop() {
		b.StopTimer()
		s, err := Prepare(lookout)
		if err != nil {
			b.Fatal(err)
		}
		// A standby waits for its plan.
		for state := ""; state != "S"; {
			state = status(b, s.child.PID())["State"][:1]
		}
		b.StartTimer()
		start := time.Now()
		if err := s.Enclose(walls[0].Plan); err != nil {
			b.Fatal(err)
		}
		if <-s.built; s.failed != nil {
			b.Fatal(s.failed)
		}
		built = append(built, time.Since(start))
		start = time.Now()
		s.Discard()
		ended = append(ended, time.Since(start))
	}
	for name, list := range map[string][]time.Duration{"built-ms": built, "ended-ms": ended} {
		slices.Sort(list)
		b.ReportMetric(list[len(list)/2].Seconds()*1e3, name)
		b.ReportMetric(list[0].Seconds()*1e3, "least-"+name)
	}
}
