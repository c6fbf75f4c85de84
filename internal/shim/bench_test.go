//go:build linux

package shim_test

import (
	"os"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"wherry/internal/shim/bundle"
)

// BenchmarkLife measures a container from nothing to nothing: the shim's start,
// the container's creation, the guest's run, and the end of both.
func BenchmarkLife(b *testing.B) {
	_, guest := programs(b)
	module, err := os.ReadFile(guest)
	if err != nil {
		b.Fatal(err)
	}
	sum := digest.FromBytes(module)
	var parts [5]time.Duration
	for range b.N {
		b.StopTimer()
		x := newBox(b, "exit", "0")
		// The engine hashes modules when it stores them.
		x.spec.Annotations[bundle.ModuleDigest] = sum.String()
		x.write()
		b.StartTimer()
		t0 := time.Now()
		x.connect()
		t1 := time.Now()
		if _, err := x.shim.Create(b.Context()); err != nil {
			b.Fatal(err)
		}
		t2 := time.Now()
		if err := x.shim.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		t3 := time.Now()
		x.wait()
		t4 := time.Now()
		if _, err := x.shim.Delete(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := x.shim.Shutdown(b.Context()); err != nil {
			b.Fatal(err)
		}
		t5 := time.Now()
		for i, d := range []time.Duration{t1.Sub(t0), t2.Sub(t1), t3.Sub(t2), t4.Sub(t3), t5.Sub(t4)} {
			parts[i] += d
		}
		b.StopTimer()
		x.end()
	}
	for i, name := range []string{"shim-ms", "create-ms", "start-ms", "run-ms", "delete-ms"} {
		b.ReportMetric(parts[i].Seconds()*1e3/float64(b.N), name)
	}
}
