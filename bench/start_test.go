package bench

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"wherry/internal/testutil/wherry"
)

// runs is how many runs a median is of.
const runs = 20

// BenchmarkStart times `wherry run --rm` of a small guest whose code is cached,
// beside a bare Go program with wasmtime that runs the same guest's code, and
// beside the parts that the whole is made of:
//
//	cli      a wherry command that asks the daemon one thing
//	api      create, wait, start and removal, over the API without the CLI
//	shim     the shim's program, run for nothing: what each of its three
//	         processes costs before it does anything
func BenchmarkStart(b *testing.B) {
	e := wherry.Start(b)
	dir := b.TempDir()
	guest, code := filepath.Join(dir, "hello.wasm"), filepath.Join(dir, "hello.cwasm")
	bare := filepath.Join(dir, "barehost")
	build(b, nil, "go", "build", "-tags", "netgo,osusergo", "-ldflags", "-s -w", "-o", bare, "./bench/barehost")
	build(b, []string{"GOOS=wasip1", "GOARCH=wasm"}, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", guest, "./bench/testdata/hello")
	build(b, nil, bare, "compile", guest, code)
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY hello.wasm /\nENTRYPOINT [\"/hello.wasm\"]\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	e.Must("build", "-t", "hello", dir)
	api, err := client.New(client.WithHost("unix://" + e.Socket()))
	if err != nil {
		b.Fatal(err)
	}
	defer api.Close()

	parts := []struct {
		name string
		run  func()
	}{
		{"bare", func() { output(b, exec.Command(bare, "run", code), "hello\n") }},
		{"wherry", func() { output(b, e.Command("run", "--rm", "hello"), "hello\n") }},
		{"cli", func() { output(b, e.Command("ps", "-q"), "") }},
		{"api", func() { start(b, api) }},
		{"shim", func() { output(b, exec.Command(filepath.Join(e.Bin, "containerd-shim-wherry-v1"), "-v"), "") }},
	}
	for b.Loop() {
		times := make([][]time.Duration, len(parts))
		for i := range runs + 1 {
			for p, part := range parts {
				begin := time.Now()
				part.run()
				if i > 0 { // the first round warms caches
					times[p] = append(times[p], time.Since(begin))
				}
			}
		}
		for p, part := range parts {
			b.ReportMetric(float64(median(times[p]).Microseconds())/1000, part.name+"-ms")
		}
		b.ReportMetric(float64(median(times[1]))/float64(median(times[0])), "wherry/bare")
	}
}

// start runs a container to its end as `docker run --rm` does.
func start(b *testing.B, api *client.Client) {
	b.Helper()
	ctx := context.Background()
	c, err := api.ContainerCreate(ctx, client.ContainerCreateOptions{
		Config:     &container.Config{Image: "hello"},
		HostConfig: &container.HostConfig{AutoRemove: true},
	})
	if err != nil {
		b.Fatal(err)
	}
	wait := api.ContainerWait(ctx, c.ID, client.ContainerWaitOptions{Condition: container.WaitConditionRemoved})
	if _, err := api.ContainerStart(ctx, c.ID, client.ContainerStartOptions{}); err != nil {
		b.Fatal(err)
	}
	select {
	case err := <-wait.Error:
		b.Fatal(err)
	case r := <-wait.Result:
		if r.StatusCode != 0 {
			b.Fatalf("exit code %d", r.StatusCode)
		}
	}
}

// build runs a command at the top of the tree that has to succeed.
func build(b *testing.B, env []string, name string, args ...string) {
	b.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = wherry.Root(b), append(os.Environ(), env...)
	if out, stderr, code := wherry.Output(b, cmd); code != 0 {
		b.Fatalf("%s: %s%s", cmd, out, stderr)
	}
}

// output runs a command that has to succeed, and to print want unless that is
// empty.
func output(b *testing.B, cmd *exec.Cmd, want string) {
	b.Helper()
	out, stderr, code := wherry.Output(b, cmd)
	if code != 0 || want != "" && out != want {
		b.Fatalf("%s: exit code %d, %q, %s", cmd, code, out, stderr)
	}
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}
