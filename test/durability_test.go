//go:build stress

package test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wherry/internal/testutil/registry"
	"wherry/internal/testutil/wherry"
)

// Images are pulled, removed and pruned side by side while the daemon is
// killed again and again. In the end every image that is listed runs, and
// every blob is what its name says. WHERRY_STRESS sets how long; 60 s unless
// set.
func TestStoreSurvivesKills(t *testing.T) {
	length := 60 * time.Second
	if s := os.Getenv("WHERRY_STRESS"); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatalf("WHERRY_STRESS: %v", err)
		}
	}
	reg := registry.Start(t, registry.Options{})
	e := wherry.Start(t)
	names := publish(t, e, reg.Host)

	deadline := time.Now().Add(length)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 1))
			for {
				select {
				case <-stop:
					return
				default:
				}
				// The daemon may be dead at any time: what these answer is
				// not the question, what they leave behind is.
				name := names[random.IntN(len(names))]
				switch random.IntN(6) {
				case 0, 1, 2:
					e.Run("pull", "-q", name)
				case 3:
					e.Run("rmi", name)
				case 4:
					e.Run("rmi", "-f", name)
				case 5:
					e.Run("image", "prune", "-af")
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(7, 7))
	kills := 0
	for time.Now().Before(deadline) {
		<-time.After(time.Duration(random.IntN(1500)) * time.Millisecond)
		e.KillDaemon(syscall.SIGKILL)
		e.StartDaemon()
		kills++
	}
	close(stop)
	wg.Wait()
	t.Logf("killed the daemon %d times", kills)

	listed := strings.Fields(e.Must("images", "--format", "{{.Repository}}:{{.Tag}}"))
	if len(listed) == 0 {
		listed = append(listed, names[0])
		e.Must("pull", "-q", names[0])
	}
	for _, name := range listed {
		_, number, _ := strings.Cut(strings.TrimSuffix(name, ":latest"), "/image")
		if got := e.Must("run", "--rm", "--pull=never", name); got != "image "+number {
			t.Errorf("%s printed %q", name, got)
		}
	}
	t.Logf("%d images listed, and each runs", len(listed))
	verifyBlobs(t, e.Data())
}

// publish pushes images of one guest that share a layer and differ in another.
func publish(t *testing.T, e *wherry.Engine, host string) []string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.go"), "package main\nimport \"os\"\nfunc main() { b, err := os.ReadFile(\"/name\"); if err != nil { panic(err) }; os.Stdout.Write(b) }\n")
	compile := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "name.wasm"), filepath.Join(dir, "main.go"))
	compile.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, stderr, code := wherry.Output(t, compile); code != 0 {
		t.Fatalf("%s%s", out, stderr)
	}
	names := make([]string, 6)
	for i := range names {
		names[i] = fmt.Sprintf("%s/image%d", host, i)
		write(t, filepath.Join(dir, "name"), fmt.Sprintf("image %d\n", i))
		write(t, filepath.Join(dir, "Dockerfile"), "FROM scratch\nCOPY name.wasm /\nCOPY name /\nENTRYPOINT [\"/name.wasm\"]\n")
		e.Must("build", "-t", names[i], dir)
		e.Must("push", "-q", names[i])
	}
	return names
}
