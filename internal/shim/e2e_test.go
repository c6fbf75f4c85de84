//go:build linux

package shim_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	task "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/ttrpc"
	"github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/shim/bundle"
	"wherry/internal/shim/client"
)

// built are the shim and the guest of the tests, built once a test process.
var built struct {
	once        sync.Once
	dir         string
	shim, guest string
	err         error
	out         []byte
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// programs builds the shim and the guest from source.
func programs(t testing.TB) (shim, guest string) {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "wherry-shim-"); built.err != nil {
			return
		}
		if dir := os.Getenv("WHERRY_TEST_PROGRAMS"); dir != "" { // on a machine without Go
			built.shim, built.guest = filepath.Join(dir, "containerd-shim-wherry-v1"), filepath.Join(dir, "guest.wasm")
			return
		}
		built.shim = filepath.Join(built.dir, "containerd-shim-wherry-v1")
		built.guest = filepath.Join(built.dir, "guest.wasm")
		for _, b := range []struct {
			env  []string
			args []string
		}{
			{nil, append(append([]string{"build"}, buildFlags...), "-tags", "netgo,osusergo", "-ldflags", "-s -w", "-o", built.shim, "wherry/cmd/containerd-shim-wherry-v1")},
			{[]string{"GOOS=wasip1", "GOARCH=wasm"}, []string{"build", "-o", built.guest, "./testdata/guest"}},
		} {
			cmd := exec.Command("go", b.args...)
			cmd.Env = append(os.Environ(), b.env...)
			if built.out, built.err = cmd.CombinedOutput(); built.err != nil {
				return
			}
		}
	})
	if built.err != nil {
		t.Fatalf("build the programs: %v\n%s", built.err, built.out)
	}
	return built.shim, built.guest
}

// box is one container of a test, with all that is around it.
type box struct {
	t    testing.TB
	dir  string // of everything
	opts client.Options
	spec specs.Spec
	shim *client.Shim
}

// cacheDir is shared by a test process, so that the guest is compiled once.
var cacheDir = sync.OnceValues(func() (string, error) {
	return os.MkdirTemp(built.dir, "code-")
})

// newBox describes a container that runs the guest with args.
func newBox(t testing.TB, args ...string) *box {
	t.Helper()
	shim, guest := programs(t)
	cache, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	// A short path: the shim's socket is below it.
	dir, err := os.MkdirTemp("", "wherry-box-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b := &box{t: t, dir: dir}
	b.opts = client.Options{Program: shim, Bundle: filepath.Join(dir, "bundles", "box"), Address: filepath.Join(dir, "docker.sock")}
	if err := os.MkdirAll(b.opts.Bundle, 0o700); err != nil {
		t.Fatal(err)
	}
	b.spec = specs.Spec{
		Version: specs.Version,
		Process: &specs.Process{Args: append([]string{"/app.wasm"}, args...), Env: []string{"PATH=/bin", "A=b"}, Cwd: "/srv"},
		Root:    &specs.Root{Path: filepath.Join(dir, "root")},
		Annotations: map[string]string{
			bundle.Module:  guest,
			bundle.Upper:   filepath.Join(dir, "upper"),
			bundle.Cache:   cache,
			bundle.LogPath: filepath.Join(dir, "log.json"),
			bundle.Network: "private",
		},
	}
	if err := os.MkdirAll(b.spec.Root.Path, 0o755); err != nil {
		t.Fatal(err)
	}
	return b
}

// context ends with the test, and a minute later at the latest.
func (b *box) context() context.Context {
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	b.t.Cleanup(cancel)
	return ctx
}

// write writes the bundle.
func (b *box) write() {
	b.t.Helper()
	data, err := json.Marshal(b.spec)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.opts.Bundle, bundle.Config), data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// connect starts the shim, whose bundle is written.
func (b *box) connect() {
	b.t.Helper()
	var err error
	if b.shim, err = client.Start(b.context(), b.opts); err != nil {
		b.t.Fatal(err)
	}
}

// start writes the bundle and starts the shim.
func (b *box) start() *box {
	b.t.Helper()
	b.write()
	b.connect()
	b.t.Cleanup(b.end)
	return b
}

// end takes shim and container away, whatever state they are in.
func (b *box) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	select {
	case <-b.shim.Gone():
	default:
		_ = b.shim.Kill(ctx, 9)
		_, _ = b.shim.Wait(ctx)
		_, _ = b.shim.Delete(ctx)
		_ = b.shim.Shutdown(ctx)
		select {
		case <-b.shim.Gone():
		case <-ctx.Done():
			b.t.Errorf("the shim did not end: %v", ctx.Err())
		}
	}
	b.shim.Close()
	log, err := os.ReadFile(filepath.Join(b.opts.Bundle, bundle.LogFile))
	if err != nil || strings.Contains(string(log), "DATA RACE") || strings.Contains(string(log), "panic:") {
		b.t.Errorf("the shim's log tells of trouble: %v", err)
	}
	if b.t.Failed() {
		b.t.Logf("the shim's log:\n%s", log)
	}
}

// create starts the shim and makes the container.
func (b *box) create() *box {
	b.t.Helper()
	b.start()
	if _, err := b.shim.Create(b.context()); err != nil {
		b.t.Fatalf("create: %v", err)
	}
	return b
}

// run makes the container and lets its guest run.
func (b *box) run() *box {
	b.t.Helper()
	b.create()
	if err := b.shim.Start(b.context()); err != nil {
		b.t.Fatalf("start: %v", err)
	}
	return b
}

// wait waits for the container's end.
func (b *box) wait() bundle.ExitStatus {
	b.t.Helper()
	st, err := b.shim.Wait(b.context())
	if err != nil {
		b.t.Fatalf("wait: %v", err)
	}
	return st
}

// logged gives what the log has of a stream.
func (b *box) logged(stream string) string {
	b.t.Helper()
	data, err := os.ReadFile(b.spec.Annotations[bundle.LogPath])
	if err != nil {
		b.t.Fatal(err)
	}
	var text strings.Builder
	for line := range strings.Lines(string(data)) {
		var l struct{ Log, Stream string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			b.t.Fatalf("log line %q: %v", line, err)
		}
		if l.Stream == stream {
			text.WriteString(l.Log)
		}
	}
	return text.String()
}

func TestHello(t *testing.T) {
	b := newBox(t, "hello", "world").run()
	if st := b.wait(); st.Code != 0 || st.Reason != "" {
		t.Errorf("exit = %+v, want a clean 0", st)
	}
	if got, want := b.logged("stdout"), "hello world\n"; got != want {
		t.Errorf("stdout = %q, want %q", got, want)
	}
	if got, want := b.logged("stderr"), "to stderr\n"; got != want {
		t.Errorf("stderr = %q, want %q", got, want)
	}
	var file bundle.ExitStatus
	if err := bundle.Read(b.opts.Bundle, bundle.Exit, &file); err != nil || file.Code != 0 || file.ExitedAt.IsZero() {
		t.Errorf("exit.json = %+v, %v", file, err)
	}
	if _, err := b.shim.Delete(b.context()); err != nil {
		t.Errorf("delete: %v", err)
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		args   []string
		code   int
		reason string
		stderr string
	}{
		{[]string{"exit", "7"}, 7, "", ""},
		{[]string{"exit", "256"}, 255, "", ""},
		{[]string{"trap"}, 134, "wasm trap: out of bounds memory access", "wherry: wasm trap: out of bounds memory access\nwherry:    0: main."},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			b := newBox(t, c.args...).run()
			st := b.wait()
			if st.Code != c.code || !strings.HasPrefix(st.Reason, c.reason) || (c.reason == "") != (st.Reason == "") {
				t.Errorf("exit = %+v, want code %d and reason %q", st, c.code, c.reason)
			}
			if got := b.logged("stderr"); !strings.Contains(got, c.stderr) {
				t.Errorf("stderr = %q, want %q in it", got, c.stderr)
			}
		})
	}
}

// limitMemory sets the container's memory limit in bytes.
func (b *box) limitMemory(n int64) {
	b.spec.Linux = &specs.Linux{Resources: &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &n}}}
}

// createWith makes the container as containerd does, with named pipes in the
// test's folder for streams.
func (b *box) createWith(stdin, stdout, stderr string) error {
	b.t.Helper()
	address, err := os.ReadFile(filepath.Join(b.opts.Bundle, bundle.Address))
	if err != nil {
		return err
	}
	conn, err := net.Dial("unix", strings.TrimPrefix(string(address), "unix://"))
	if err != nil {
		return err
	}
	c := ttrpc.NewClient(conn)
	defer c.Close()
	req := &task.CreateTaskRequest{
		ID: filepath.Base(b.opts.Bundle), Bundle: b.opts.Bundle,
		Stdin: filepath.Join(b.dir, stdin), Stdout: filepath.Join(b.dir, stdout), Stderr: filepath.Join(b.dir, stderr),
	}
	// The name that containerd 2 calls.
	return c.Call(b.context(), "containerd.task.v3.Task", "Create", req, &task.CreateTaskResponse{})
}
