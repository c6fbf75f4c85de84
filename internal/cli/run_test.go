package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/cli/cli"
	"github.com/docker/cli/cli/command"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/system"

	"wherry/internal/api"
	"wherry/internal/api/apitest"
	"wherry/internal/daemon"
)

// serveFake serves a backend on a socket and lets commands find it.
func serveFake(t *testing.T, b *apitest.Backend) {
	t.Helper()
	dir, err := os.MkdirTemp("", "w") // t.TempDir is often too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: api.NewServer(b, slog.New(slog.DiscardHandler))}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	t.Setenv("WHERRY_HOST", "unix://"+filepath.Join(dir, "s"))
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("DOCKER_HOST", "unix:///nowhere") // must not count
}

// buffer is written to by several goroutines: run prints the ID of a container
// in the background while it starts.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// wherry runs a command line in this process.
func wherry(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs buffer
	e := findEngine()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := run(ctx, e, args, command.WithInputStream(io.NopCloser(strings.NewReader(""))),
		command.WithOutputStream(&out), command.WithErrorStream(&errs))
	code = report(&errs, e, err, nil)
	return out.String(), errs.String(), code
}

func TestVerbs(t *testing.T) {
	docker, err := command.NewDockerCli()
	if err != nil {
		t.Fatal(err)
	}
	root := newRoot(docker, findEngine())
	for _, verb := range []string{
		"run", "create", "start", "stop", "kill", "restart", "rm", "ps", "logs", "inspect", "wait", "attach", "port", "images",
		"pull", "push", "tag", "rmi", "load", "save", "history", "login", "logout", "info", "version", "events", "cp", "diff",
		"exec", "container exec", "export", "rename", "top", "stats", "update", "pause", "unpause",
		"container run", "container ls", "container prune", "image ls", "image prune", "volume ls", "volume create", "volume prune",
		"network ls", "network inspect", "system df", "system prune", "system events",
		"build", "init", "daemon", "env",
	} {
		c, rest, err := root.Find(strings.Fields(verb))
		if err != nil || len(rest) > 0 || !c.Runnable() || c.Hidden {
			t.Errorf("%s is not offered: %v", verb, err)
			continue
		}
		for _, text := range []string{c.Short, c.Annotations["aliases"], c.UseLine()} {
			if strings.Contains(strings.ReplaceAll(strings.ToLower(text), "dockerfile", ""), "docker") {
				t.Errorf("%s: the help says %q", verb, text)
			}
		}
	}
	for _, c := range root.Commands() {
		if !c.Hidden && slices.Contains([]string{"swarm", "node", "service", "stack", "secret", "config", "plugin", "commit"}, c.Name()) {
			t.Errorf("%s is offered", c.Name())
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, line := range []string{
		"network create x", "network connect a b", "network disconnect a b",
		"swarm init", "service ls", "node ls", "stack deploy -c x y", "secret ls", "config ls", "plugin ls", "commit web x",
		"import x", "search x", "checkpoint ls x", "manifest inspect x", "builder prune", "context ls",
	} {
		stdout, stderr, code := wherry(t, strings.Fields(line)...)
		if code != 125 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "wherry: ") {
			t.Errorf("%s: %d %q %q", line, code, stdout, stderr)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, tt := range []struct {
		line, text string
		code       int
	}{
		{"fly", "wherry: unknown command: wherry fly", 1},
		{"run", "wherry: 'wherry run' requires at least 1 argument", 1},
		{"run --nonsense x", "wherry: unknown flag: --nonsense", 125},
		{"run -p 99999999:1 x", "wherry: ", 125},
		{"daemon --host tcp://0.0.0.0:1 --data-root /nowhere/x", "wherry: ", 1},
		{"init cobol x", `wherry: there is no template for "cobol"`, 1},
		{"build", "wherry: 'wherry build' requires 1 argument", 1},
		{"build -t UPPER .", `the image can't be named "UPPER"`, 125},
		{"run ./nothing.wasm", "wherry: there is no file ./nothing.wasm", 127},
	} {
		serveFake(t, &apitest.Backend{})
		_, stderr, code := wherry(t, strings.Fields(tt.line)...)
		if code != tt.code || !strings.Contains(stderr, tt.text) || strings.Contains(stderr, "docker") {
			t.Errorf("%s: %d %q, want %d and %q", tt.line, code, stderr, tt.code, tt.text)
		}
	}
}

func TestEngineThatIsNotThere(t *testing.T) {
	t.Setenv("WHERRY_HOST", "unix:///nowhere/s")
	_, stderr, code := wherry(t, "ps")
	if code != 1 || !strings.Contains(stderr, "no engine answers at unix:///nowhere/s") {
		t.Errorf("%d %q", code, stderr)
	}
	if _, stderr, code = wherry(t, "run", "x"); code != 125 || strings.Contains(stderr, "docker") {
		t.Errorf("run: %d %q", code, stderr)
	}
}

func TestHostFlagChoosesTheEngine(t *testing.T) {
	serveFake(t, &apitest.Backend{ContainerListFunc: func(context.Context, daemon.ListOptions) ([]container.Summary, error) {
		return []container.Summary{{ID: "0123456789abcdef"}}, nil
	}})
	host := os.Getenv("WHERRY_HOST")
	t.Setenv("WHERRY_HOST", "")
	t.Setenv("XDG_RUNTIME_DIR", "/nowhere") // an engine must not be started
	t.Setenv("XDG_DATA_HOME", "/nowhere")
	if stdout, stderr, code := wherry(t, "--host", host, "ps", "-q"); code != 0 || stdout != "0123456789ab\n" {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
}

// started is a container that ends with a code when it is started.
func started(code int64) *apitest.Backend {
	end := make(chan container.WaitResponse, 1)
	go_ := make(chan struct{})
	return &apitest.Backend{
		ContainerCreateFunc: func(context.Context, daemon.CreateOptions) (container.CreateResponse, error) {
			return container.CreateResponse{ID: "abc"}, nil
		},
		ContainerInspectFunc: func(context.Context, string, bool) (container.InspectResponse, error) {
			return container.InspectResponse{Config: &container.Config{}}, nil
		},
		ContainerWaitFunc: func(context.Context, string, container.WaitCondition) (<-chan container.WaitResponse, error) {
			return end, nil
		},
		ContainerAttachFunc: func(_ context.Context, _ string, _ daemon.AttachOptions, ready func() (daemon.Streams, error)) error {
			st, err := ready()
			if err != nil {
				return err
			}
			<-go_
			_, err = io.WriteString(st.Stdout, "hello\n")
			return err
		},
		ContainerStartFunc: func(context.Context, string) error {
			close(go_)
			end <- container.WaitResponse{StatusCode: code}
			return nil
		},
	}
}

func TestRunGivesTheContainersCode(t *testing.T) {
	for _, want := range []int64{0, 1, 42, 134, 143} {
		serveFake(t, started(want))
		stdout, stderr, code := wherry(t, "run", "--rm", "hello", "arg")
		if code != int(want) || stdout != "hello\n" || stderr != "" {
			t.Errorf("code %d, want %d; %q %q", code, want, stdout, stderr)
		}
	}
}

func TestRunSaysWhyTheEngineRefused(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code int
	}{
		{fmt.Errorf("port is already allocated: %w", errdefs.ErrConflict), 125},
		{errors.New("exec /app: permission denied"), 126},
		{errors.New("exec /app: no such file or directory"), 127},
	} {
		b := started(0)
		b.ContainerStartFunc = func(context.Context, string) error { return tt.err }
		serveFake(t, b)
		stdout, stderr, code := wherry(t, "run", "-d", "hello")
		if code != tt.code || stdout != "" && stdout != "abc\n" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "wherry: ") {
			t.Errorf("%v: %d %q %q", tt.err, code, stdout, stderr)
		}
	}
}

func TestRunFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "My App.wasm")
	if err := os.WriteFile(file, listener, 0o600); err != nil {
		t.Fatal(err)
	}
	b := started(0)
	var loads int
	var images []string
	b.ImageInspectFunc = func(context.Context, string, string, bool) (image.InspectResponse, error) {
		if loads == 0 {
			return image.InspectResponse{}, errdefs.ErrNotFound
		}
		return image.InspectResponse{}, nil
	}
	b.ImageLoadFunc = func(_ context.Context, tar io.Reader, _ bool, w io.Writer) error {
		loads++
		_, err := io.Copy(io.Discard, tar)
		return err
	}
	b.ContainerCreateFunc = func(_ context.Context, o daemon.CreateOptions) (container.CreateResponse, error) {
		images = append(images, o.Request.Image+" "+strings.Join(o.Request.Cmd, " "))
		return container.CreateResponse{ID: "abc"}, nil
	}
	b.ContainerStartFunc = func(context.Context, string) error { return nil }
	serveFake(t, b)
	for range 2 {
		if _, stderr, code := wherry(t, "run", "-d", file, "a", "-b"); code != 0 {
			t.Fatalf("%d %s", code, stderr)
		}
	}
	if loads != 1 || len(images) != 2 || images[0] != images[1] || !strings.HasPrefix(images[0], "localhost/my-app:") || !strings.HasSuffix(images[0], " a -b") {
		t.Errorf("loaded %d times, ran %q", loads, images)
	}
}

func TestBuildPrintsOneLine(t *testing.T) {
	const id = "sha256:4c1e4c1e4c1e4c1e4c1e4c1e4c1e4c1e4c1e4c1e4c1e4c1e4c1e4c1e4c1e4c1e"
	var got daemon.BuildOptions
	fail := ""
	b := &apitest.Backend{
		ImageBuildFunc: func(_ context.Context, o daemon.BuildOptions, tar io.Reader, w io.Writer) error {
			got = o
			if _, err := io.Copy(io.Discard, tar); err != nil {
				return err
			}
			enc := json.NewEncoder(w)
			if err := enc.Encode(jsonstream.Message{Stream: "Step 1/1 : FROM scratch\n"}); err != nil {
				return err
			}
			if fail != "" {
				return errors.New(fail)
			}
			aux := json.RawMessage(`{"ID":"` + id + `","Size":2700000,"Program":"/app.wasm","Capabilities":["listen","read clock"]}`)
			return enc.Encode(jsonstream.Message{Aux: &aux})
		},
	}
	serveFake(t, b)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := wherry(t, "build", "-t", "hello", "--build-arg", "A=1", "--label", "l=2", "--target", "s", "--platform", "wasi/wasm", "--no-cache", dir)
	if code != 0 || stdout != "hello:latest sha256:4c1e4c1e4c1e… 2.7 MB; may: listen, read clock\n" || !strings.Contains(stderr, "Step 1/1") {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
	if *got.BuildArgs["A"] != "1" || got.Labels["l"] != "2" || got.Target != "s" || got.Platform != "wasi/wasm" || !got.NoCache || got.Tags[0] != "hello" {
		t.Errorf("the engine got %+v", got)
	}
	if stdout, stderr, code = wherry(t, "build", "-q", dir); code != 0 || stdout != id+"\n" || stderr != "" {
		t.Errorf("-q: %d %q %q", code, stdout, stderr)
	}
	fail = "Dockerfile line 3: unknown instruction: FORM"
	if stdout, stderr, code = wherry(t, "build", dir); code != 1 || stdout != "" || !strings.HasSuffix(stderr, "wherry: "+fail+"\n") {
		t.Errorf("a build that fails: %d %q %q", code, stdout, stderr)
	}
}

func TestEnv(t *testing.T) {
	t.Setenv("WHERRY_HOST", "unix:///run/a b/s")
	if stdout, _, code := wherry(t, "env"); code != 0 || stdout != "export DOCKER_HOST='unix:///run/a b/s'\n" {
		t.Errorf("%d %q", code, stdout)
	}
}

func TestVersion(t *testing.T) {
	serveFake(t, &apitest.Backend{SystemVersionFunc: func(context.Context) (system.VersionResponse, error) {
		return system.VersionResponse{Version: "0.0.1-old", Components: []system.ComponentVersion{{Name: "Engine", Version: "0.0.1-old"}, {Name: "wasmtime", Version: "44"}}}, nil
	}})
	stdout, stderr, code := wherry(t, "version")
	for _, want := range []string{"Client: Wherry\n Version:           dev", "0.0.1-old", "wasmtime"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%d: no %q in %q %q", code, want, stdout, stderr)
		}
	}
	if stdout, _, _ := wherry(t, "--version"); stdout != "Wherry version dev\n" {
		t.Errorf("--version: %q", stdout)
	}
}

// A start that takes long says that it compiles; one that doesn't says nothing.
func TestCompilingIsTold(t *testing.T) {
	told := make(told)
	b := started(0)
	b.ContainerStartFunc = func(context.Context, string) error {
		if line := <-told; line != "wherry: compiling the module (9.0 MB) for wasmtime; later starts use the cached code\n" {
			t.Errorf("it said %q", line)
		}
		return nil
	}
	b.EventsFunc = func(ctx context.Context, since, _ time.Time, f daemon.Filters, send func(events.Message) error) error {
		if since.IsZero() || !slices.Equal(f["event"], []string{"compile"}) || !slices.Equal(f["container"], []string{"abc"}) {
			t.Errorf("events asked since %v for %v", since, f)
		}
		err := send(events.Message{Type: "container", Action: "compile", Actor: events.Actor{
			ID: "abc", Attributes: map[string]string{"size": "9000000", "engine": "wasmtime"}}})
		<-ctx.Done()
		return err
	}
	serveFake(t, b)
	err := run(t.Context(), findEngine(), []string{"run", "-d", "hello"},
		command.WithOutputStream(io.Discard), command.WithErrorStream(told))
	if err != nil {
		t.Error(err)
	}
}

// told passes on what is written to it, line by line.
type told chan string

func (c told) Write(p []byte) (int, error) {
	c <- string(p)
	return len(p), nil
}

func TestReport(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code int
		text string
	}{
		{nil, 0, ""},
		{errors.New("x"), 1, "wherry: x\n"},
		{cli.StatusError{StatusCode: 7}, 7, ""},
		{cli.StatusError{StatusCode: 125, Status: "docker: Error response from daemon: no.\n\nRun 'docker run --help' for more information"}, 125, "wherry: no.\n"},
		{cli.StatusError{StatusCode: 125, Status: "docker: bad flag\n\nRun 'docker run --help' for more information"}, 125,
			"wherry: bad flag; run 'wherry run --help' for more information\n"},
		{errors.New("Error response from daemon: No such container: docker"), 1, "wherry: No such container: docker\n"},
		{signalled{os.Interrupt}, 130, ""},
	} {
		var b bytes.Buffer
		if code := report(&b, &engine{}, tt.err, nil); code != tt.code || b.String() != tt.text {
			t.Errorf("%v: %d %q, want %d %q", tt.err, code, b.String(), tt.code, tt.text)
		}
	}
}
