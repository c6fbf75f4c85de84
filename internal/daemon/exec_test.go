//go:build linux

package daemon

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"

	"wherry/internal/shim/bundle"
)

func TestExec(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	id := create(t, d, "web", nil)
	start(t, d, id)
	ctx := t.Context()
	for _, r := range []container.ExecCreateRequest{{}, {Cmd: []string{""}}} {
		if _, err := d.ContainerExecCreate(ctx, id, r); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if _, err := d.ContainerExecCreate(ctx, id, container.ExecCreateRequest{Cmd: []string{"x"}, Privileged: true}); !errdefs.IsNotImplemented(err) {
		t.Errorf("privileged: %v", err)
	}
	task := m.shims.task(d.bundle(id))
	task.mu.Lock()
	task.execCode = 7
	task.mu.Unlock()
	e, err := d.ContainerExecCreate(ctx, id, container.ExecCreateRequest{
		Cmd: []string{"/other.wasm", "a"}, Env: []string{"A=exec", "N=1"}, WorkingDir: "/w", AttachStdin: true, AttachStdout: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.ContainerExecInspect(ctx, e); err != nil || got.Running || got.ExitCode != nil || got.ContainerID != id {
		t.Errorf("before the start: %+v, %v", got, err)
	}
	var out bytes.Buffer
	ready := func() (Streams, error) { return Streams{Stdin: strings.NewReader(""), Stdout: &out}, nil }
	if err := d.ContainerExecStart(ctx, e, nil, ready); err != nil || out.String() != "ok" {
		t.Errorf("start: %v, output %q", err, out.String())
	}
	got, err := d.ContainerExecInspect(ctx, e)
	if err != nil || got.Running || got.ExitCode == nil || *got.ExitCode != 7 || got.ProcessConfig.Entrypoint != "/other.wasm" {
		t.Errorf("after the end: %+v, %v", got, err)
	}
	task.mu.Lock()
	ran := task.execs[0]
	task.mu.Unlock()
	if !slices.Contains(ran.p.Env, "A=exec") || !slices.Contains(ran.p.Env, "N=1") || !slices.Contains(ran.p.Env, "B=image") || ran.p.Cwd != "/w" || !slices.Equal(ran.p.Args, []string{"/other.wasm", "a"}) || ran.stdin != bundle.StdinOnce {
		t.Errorf("the shim was told %+v, stdin %q", ran.p, ran.stdin)
	}
	if err := d.ContainerExecStart(ctx, e, nil, ready); !errdefs.IsConflict(err) {
		t.Errorf("a second start: %v", err)
	}
	if _, err := d.ContainerExecInspect(ctx, "nothing"); !errdefs.IsNotFound(err) {
		t.Errorf("an exec that is not there: %v", err)
	}
}

func TestExecThatDoesNotStart(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	id := create(t, d, "web", nil)
	start(t, d, id)
	task := m.shims.task(d.bundle(id))
	task.mu.Lock()
	task.execErr = errors.New(`exec: "/x": no such file or directory`)
	task.mu.Unlock()
	e, err := d.ContainerExecCreate(t.Context(), id, container.ExecCreateRequest{Cmd: []string{"/x"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.ContainerExecStart(t.Context(), e, nil, nil); err == nil {
		t.Error("it started")
	}
	if got, err := d.ContainerExecInspect(t.Context(), e); err != nil || got.ExitCode == nil || *got.ExitCode != 127 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := d.ContainerPause(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ContainerExecCreate(t.Context(), id, container.ExecCreateRequest{Cmd: []string{"/x"}}); !errdefs.IsConflict(err) || !strings.Contains(err.Error(), "paused") {
		t.Errorf("in a paused container: %v", err)
	}
}
