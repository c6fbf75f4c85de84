//go:build linux

package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
)

func TestLife(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	id := create(t, d, "web", nil)
	if s := inspect(t, d, id); s.Status != container.StateCreated || s.Running {
		t.Fatalf("after create: %+v", s)
	}
	next := waitFor(t, d, id, container.WaitConditionNextExit)
	start(t, d, "web")
	if s := inspect(t, d, id); s.Status != container.StateRunning || !s.Running || s.Pid == 0 {
		t.Fatalf("after start: %+v", s)
	}
	if err := d.ContainerStart(t.Context(), id); !errdefs.IsNotModified(err) {
		t.Errorf("a second start answers %v, want not modified", err)
	}
	if err := d.ContainerRemove(t.Context(), id, RemoveOptions{}); !errdefs.IsConflict(err) {
		t.Errorf("removing a running container answers %v, want a conflict", err)
	}
	if err := d.ContainerPause(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if s := inspect(t, d, id); !s.Paused || !s.Running {
		t.Errorf("after pause: %+v", s)
	}
	if err := d.ContainerUnpause(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := d.ContainerStop(t.Context(), id, StopOptions{}); err != nil {
		t.Fatal(err)
	}
	if code := exited(t, next); code != 143 {
		t.Errorf("wait answers %d, want 143", code)
	}
	if s := inspect(t, d, id); s.Status != container.StateExited || s.ExitCode != 143 || s.Pid != 0 {
		t.Errorf("after stop: %+v", s)
	}
	if err := d.ContainerStop(t.Context(), id, StopOptions{}); !errdefs.IsNotModified(err) {
		t.Errorf("a second stop answers %v, want not modified", err)
	}
	if code := exited(t, waitFor(t, d, id, "")); code != 143 {
		t.Errorf("wait for not-running answers %d at once, want 143", code)
	}
	if err := d.ContainerKill(t.Context(), id, ""); !errdefs.IsConflict(err) {
		t.Errorf("killing a stopped container answers %v, want a conflict", err)
	}
	removed := waitFor(t, d, id, container.WaitConditionRemoved)
	if err := d.ContainerRemove(t.Context(), id, RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	if code := exited(t, removed); code != 143 {
		t.Errorf("wait for the removal answers %d, want 143", code)
	}
	if _, err := d.ContainerInspect(t.Context(), id, false); !errdefs.IsNotFound(err) || err.Error() != "No such container: "+id {
		t.Errorf("after the removal: %v", err)
	}
	if len(m.programs.held) != 0 {
		t.Errorf("the image is still held for %v", m.programs.held)
	}
}

func TestMerge(t *testing.T) {
	d := newMachine(t).boot()
	for name, tt := range map[string]struct {
		entrypoint, cmd []string
		want            string
	}{
		"the image's own":                      {nil, nil, "/app.wasm serve"},
		"another command":                      {nil, []string{"once"}, "/app.wasm once"},
		"another entrypoint drops the command": {[]string{"/b.wasm"}, nil, "/b.wasm"},
		"no entrypoint":                        {[]string{""}, []string{"/c.wasm"}, "/c.wasm"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := d.ContainerCreate(t.Context(), CreateOptions{Request: container.CreateRequest{Config: &container.Config{
				Image: "app", Entrypoint: tt.entrypoint, Cmd: tt.cmd, Env: []string{"A=mine", "C=mine"},
			}}})
			if err != nil {
				t.Fatal(err)
			}
			in, err := d.ContainerInspect(t.Context(), r.ID, false)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(append([]string{in.Path}, in.Args...), " "); got != tt.want {
				t.Errorf("runs %q, want %q", got, tt.want)
			}
			if got := strings.Join(in.Config.Env, " "); got != "A=mine C=mine B=image" {
				t.Errorf("environment %q", got)
			}
			if in.Config.Labels["of"] != "image" || in.Config.Hostname != r.ID[:12] {
				t.Errorf("labels %v, host name %s", in.Config.Labels, in.Config.Hostname)
			}
		})
	}
}

func TestCreateRefusals(t *testing.T) {
	d := newMachine(t).boot()
	create(t, d, "taken", nil)
	for name, tt := range map[string]struct {
		o     CreateOptions
		class func(error) bool
		words string
	}{
		"missing image": {request("", "nope", nil), errdefs.IsNotFound, "No such image: nope:latest"},
		"taken name":    {request("taken", "app", nil), errdefs.IsConflict, `The container name "/taken" is already in use by container`},
		"bad name":      {request("/a b", "app", nil), errdefs.IsInvalidArgument, "Invalid container name"},
		"runtime": {request("", "app", &container.HostConfig{Runtime: "runc"}), errdefs.IsInvalidArgument,
			"unknown or invalid runtime name: runc (known are io.containerd.wherry.v1,"},
		"network":      {request("", "app", &container.HostConfig{NetworkMode: "mine"}), errdefs.IsInvalidArgument, "networks are not built yet"},
		"missing bind": {request("", "app", &container.HostConfig{Binds: []string{"x y:/z"}}), errdefs.IsInvalidArgument, "includes invalid characters"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := d.ContainerCreate(t.Context(), tt.o)
			if err == nil || !tt.class(err) || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("answers %v, want %q", err, tt.words)
			}
		})
	}
	if list, err := d.ContainerList(t.Context(), ListOptions{All: true}); err != nil || len(list) != 1 {
		t.Errorf("refused containers are left: %v %v", list, err)
	}
}

func request(name, image string, h *container.HostConfig) CreateOptions {
	return CreateOptions{Name: name, Request: container.CreateRequest{Config: &container.Config{Image: image}, HostConfig: h}}
}

func TestStartFailures(t *testing.T) {
	for words, code := range map[string]int{
		`exec: "/app.wasm": no such file or directory`:          127,
		`exec: "/app.wasm": permission denied`:                  126,
		`Bind for 0.0.0.0:80 failed: port is already allocated`: 128,
	} {
		t.Run(words, func(t *testing.T) {
			m := newMachine(t)
			d := m.boot()
			id := create(t, d, "", nil)
			m.shims.createErr = errors.New(words)
			err := d.ContainerStart(t.Context(), id)
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Fatalf("start answers %v", err)
			}
			s := inspect(t, d, id)
			if s.Status != container.StateCreated || s.ExitCode != code || !strings.Contains(s.Error, words) {
				t.Errorf("state %+v, want created with %d", s, code)
			}
			if m.shims.deletes == 0 || m.shims.task(d.bundle(id)) != nil {
				t.Error("the shim is left behind")
			}
			start(t, d, id) // what failed once may do later
		})
	}
}

func TestAutoRemove(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	id := create(t, d, "once", &container.HostConfig{AutoRemove: true, Binds: []string{"/data"}})
	if v := d.volumes.List(); len(v) != 1 || !v[0].Anonymous() {
		t.Fatalf("volumes %v, want an anonymous one", v)
	}
	gone := waitFor(t, d, id, container.WaitConditionRemoved)
	start(t, d, id)
	m.shims.task(d.bundle(id)).end(3, "")
	if code := exited(t, gone); code != 3 {
		t.Errorf("wait answers %d, want 3", code)
	}
	if _, err := d.find("once"); !errdefs.IsNotFound(err) {
		t.Errorf("the container is still there: %v", err)
	}
	if v := d.volumes.List(); len(v) != 0 {
		t.Errorf("its anonymous volume is left: %v", v)
	}
}

func TestRestartKeepsAutoRemove(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	id := create(t, d, "", &container.HostConfig{AutoRemove: true})
	start(t, d, id)
	if err := d.ContainerRestart(t.Context(), id, StopOptions{}); err != nil {
		t.Fatal(err)
	}
	if s := inspect(t, d, id); !s.Running {
		t.Errorf("after restart: %+v", s)
	}
}

func TestStopWhileStarting(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	id := create(t, d, "", nil)
	entered := make(chan struct{})
	m.shims.created = func(task *fakeTask) {
		close(entered)
		<-task.ended // compiles for ever, until killed
	}
	started := make(chan error, 1)
	go func() { started <- d.ContainerStart(context.Background(), id) }()
	<-entered
	if err := d.ContainerStop(t.Context(), id, StopOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := <-started; err == nil {
		t.Error("the start succeeded although the container was stopped")
	}
	if s := inspect(t, d, id); s.Running {
		t.Errorf("state %+v", s)
	}
}

func TestForceRemoveRunning(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	id := create(t, d, "", &container.HostConfig{RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyAlways}})
	start(t, d, id)
	if err := d.ContainerRemove(t.Context(), id, RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if len(d.all()) != 0 || len(m.shims.tasks) != 0 {
		t.Errorf("left: %d containers, %d shims", len(d.all()), len(m.shims.tasks))
	}
}

func TestConcurrentStartStopRemove(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	id := create(t, d, "", nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _ = d.ContainerStart(context.Background(), id) })
		wg.Go(func() { _ = d.ContainerStop(context.Background(), id, StopOptions{}) })
		wg.Go(func() { _, _ = d.ContainerList(context.Background(), ListOptions{All: true}) })
	}
	wg.Wait()
	if err := d.ContainerRemove(t.Context(), id, RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if len(m.shims.tasks) != 0 {
		t.Errorf("%d shims are left", len(m.shims.tasks))
	}
}

// output collects what an attached client gets.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func TestAttachBeforeStart(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	id := create(t, d, "", nil)
	var out, errs output
	stdin, typed := io.Pipe()
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- d.ContainerAttach(context.Background(), id, AttachOptions{Stdin: true, Stdout: true, Stderr: true, Stream: true}, func() (Streams, error) {
			close(ready)
			return Streams{Stdin: stdin, Stdout: &out, Stderr: &errs}, nil
		})
	}()
	<-ready
	go func() { // before the start, as `echo hi | docker run -i` does
		_, _ = typed.Write([]byte("hi"))
		_ = typed.Close()
	}()
	start(t, d, id)
	task := m.shims.task(d.bundle(id))
	if got := string(<-task.input); got != "hi" {
		t.Errorf("the guest reads %q, want %q", got, "hi")
	}
	task.say(1, "out")
	task.say(2, "err")
	task.end(0, "")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if out.String() != "out" || errs.String() != "err" {
		t.Errorf("got %q and %q", &out, &errs)
	}
}

func TestEventsOfARun(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	since := time.Now()
	id := create(t, d, "web", nil)
	start(t, d, id)
	if err := d.ContainerRename(t.Context(), id, "site"); err != nil {
		t.Fatal(err)
	}
	if err := d.ContainerStop(t.Context(), id, StopOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := d.ContainerRemove(t.Context(), id, RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := d.Events(t.Context(), since, time.Now(), Filters{"type": {"container"}, "container": {id}}, func(e events.Message) error {
		line := string(e.Action)
		if code, ok := e.Actor.Attributes["exitCode"]; ok {
			line += " " + code
		}
		got = append(got, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := strings.Join(got, ", "); s != "create, start, rename, kill, die 143, stop, destroy" {
		t.Errorf("events: %s", s)
	}
}
