//go:build linux

package daemon

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"

	"wherry/internal/daemon/record"
	"wherry/internal/shim/bundle"
)

// policy makes settings with a restart policy.
func policy(name container.RestartPolicyMode, max int) *container.HostConfig {
	return &container.HostConfig{RestartPolicy: container.RestartPolicy{Name: name, MaximumRetryCount: max}}
}

func TestRestartPolicy(t *testing.T) {
	m := newMachine(t)
	clock := newFakeClock()
	m.clock = clock
	d := m.boot()
	id := create(t, d, "", policy(container.RestartPolicyOnFailure, 3))
	start(t, d, id)
	for i, want := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
		next := waitFor(t, d, id, container.WaitConditionNextExit)
		m.shims.task(d.bundle(id)).end(1, "trap")
		if code := exited(t, next); code != 1 {
			t.Fatalf("wait answers %d", code)
		}
		if got := <-clock.waits; got != want {
			t.Errorf("pause %d is %v, want %v", i, got, want)
		}
		if s := inspect(t, d, id); s.Status != container.StateRestarting || !s.Restarting || !s.Running {
			t.Errorf("between two runs: %+v", s)
		}
		clock.fire <- time.Now()
		eventually(t, "it runs again", func() bool { return inspect(t, d, id).Status == container.StateRunning })
	}
	last := waitFor(t, d, id, "")
	m.shims.task(d.bundle(id)).end(1, "trap")
	exited(t, last)
	r, err := d.ContainerInspect(t.Context(), id, false)
	if err != nil {
		t.Fatal(err)
	}
	if r.State.Status != container.StateExited || r.RestartCount != 3 || r.State.Error != "trap" {
		t.Errorf("after three restarts: %+v, count %d", r.State, r.RestartCount)
	}
}

func TestStopEndsThePlan(t *testing.T) {
	m := newMachine(t)
	clock := newFakeClock()
	m.clock = clock
	d := m.boot()
	id := create(t, d, "", policy(container.RestartPolicyAlways, 0))
	start(t, d, id)
	next := waitFor(t, d, id, container.WaitConditionNextExit)
	m.shims.task(d.bundle(id)).end(0, "")
	exited(t, next)
	<-clock.waits
	if err := d.ContainerStop(t.Context(), id, StopOptions{}); err != nil {
		t.Fatal(err)
	}
	if s := inspect(t, d, id); s.Status != container.StateExited {
		t.Errorf("after stop: %+v", s)
	}
}

// The daemon dies and another starts: what it finds, by what became of the
// container meanwhile.
func TestRestore(t *testing.T) {
	for name, tt := range map[string]struct {
		host *container.HostConfig
		// setup runs under the first daemon, meanwhile between the two.
		setup     func(*testing.T, *Daemon, string)
		meanwhile func(*testMachine, string)
		want      container.ContainerState
		code      int
		gone      bool
	}{
		"runs on": {want: container.StateRunning},
		"paused": {setup: func(t *testing.T, d *Daemon, id string) {
			if err := d.ContainerPause(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}, want: container.StatePaused},
		"ended by itself": {meanwhile: func(m *testMachine, dir string) { m.shims.task(dir).end(7, "") }, want: container.StateExited, code: 7},
		"ended, and its shim too": {meanwhile: func(m *testMachine, dir string) {
			task := m.shims.task(dir)
			task.end(7, "")
			task.crash()
		}, want: container.StateExited, code: 7},
		"its shim was killed": {meanwhile: func(m *testMachine, dir string) { m.shims.task(dir).crash() }, want: container.StateExited, code: 137},
		"the run folder was emptied": {meanwhile: func(m *testMachine, dir string) {
			m.shims.task(dir).crash()
			_ = os.RemoveAll(dir)
		}, want: container.StateExited, code: 137},
		"killed, always": {host: policy(container.RestartPolicyAlways, 0),
			meanwhile: func(m *testMachine, dir string) { m.shims.task(dir).crash() }, want: container.StateRunning},
		"killed, on-failure": {host: policy(container.RestartPolicyOnFailure, 0),
			meanwhile: func(m *testMachine, dir string) { m.shims.task(dir).crash() }, want: container.StateRunning},
		"ended well, on-failure": {host: policy(container.RestartPolicyOnFailure, 0),
			meanwhile: func(m *testMachine, dir string) { m.shims.task(dir).end(0, "") }, want: container.StateExited},
		"stopped by hand, always": {host: policy(container.RestartPolicyAlways, 0), setup: stopIt, want: container.StateRunning},
		"stopped by hand, unless-stopped": {host: policy(container.RestartPolicyUnlessStopped, 0), setup: stopIt,
			want: container.StateExited, code: 143},
		"killed, unless-stopped": {host: policy(container.RestartPolicyUnlessStopped, 0),
			meanwhile: func(m *testMachine, dir string) { m.shims.task(dir).crash() }, want: container.StateRunning},
		"killed, --rm": {host: &container.HostConfig{AutoRemove: true},
			meanwhile: func(m *testMachine, dir string) { m.shims.task(dir).crash() }, gone: true},
		"ended, --rm": {host: &container.HostConfig{AutoRemove: true},
			meanwhile: func(m *testMachine, dir string) { m.shims.task(dir).end(0, "") }, gone: true},
		"runs on, --rm": {host: &container.HostConfig{AutoRemove: true}, want: container.StateRunning},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			d := m.boot()
			id := create(t, d, "web", tt.host)
			start(t, d, id)
			if tt.setup != nil {
				tt.setup(t, d, id)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if tt.meanwhile != nil {
				tt.meanwhile(m, d.bundle(id))
			}
			d = m.boot()
			if tt.gone {
				if list, err := d.ContainerList(t.Context(), ListOptions{All: true}); err != nil || len(list) != 0 {
					t.Errorf("left: %v %v", list, err)
				}
				return
			}
			eventually(t, "it is "+string(tt.want), func() bool { return inspect(t, d, "web").Status == tt.want })
			s := inspect(t, d, "web")
			if s.ExitCode != tt.code {
				t.Errorf("state %+v, want exit code %d", s, tt.code)
			}
			if s.Running {
				next := waitFor(t, d, id, container.WaitConditionNextExit)
				if err := d.ContainerKill(t.Context(), id, "KILL"); err != nil {
					t.Fatal(err)
				}
				if code := exited(t, next); code != 137 {
					t.Errorf("a container of an earlier daemon ends with %d, want 137", code)
				}
			}
		})
	}
}

func stopIt(t *testing.T, d *Daemon, id string) {
	if err := d.ContainerStop(t.Context(), id, StopOptions{}); err != nil {
		t.Fatal(err)
	}
}

// The daemon was killed at some point inside an operation: the next one ends
// what was begun, and leaves no process behind.
func TestRestoreHalfDone(t *testing.T) {
	t.Run("shim without a container", func(t *testing.T) {
		m := newMachine(t)
		dir := filepath.Join(m.run, "bundles", "0123")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := m.shims.Start(t.Context(), "0123", dir); err != nil {
			t.Fatal(err)
		}
		m.boot()
		if m.shims.task(dir) != nil {
			t.Error("the shim is left")
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("the bundle is left: %v", err)
		}
	})
	t.Run("between create and start", func(t *testing.T) {
		m := newMachine(t)
		d := m.boot()
		id := create(t, d, "web", nil)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		dir := d.bundle(id)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		task, err := m.shims.Start(t.Context(), id, dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := task.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
		d = m.boot()
		if s := inspect(t, d, id); s.Status != container.StateCreated || m.shims.task(dir) != nil {
			t.Errorf("state %+v, shim %v", s, m.shims.task(dir))
		}
	})
	t.Run("between start and its record", func(t *testing.T) {
		m := newMachine(t)
		d := m.boot()
		id := create(t, d, "web", nil)
		start(t, d, id)
		d.containers[id].change(func(r *record.Container) { r.State = record.State{Status: container.StateCreated}; r.Started = false })
		if err := bundle.Write(d.bundle(id), bundle.Ports, []bundle.Port{{Proto: "tcp", HostPort: 8080, ContainerPort: 80}}); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = m.boot()
		r, err := d.ContainerInspect(t.Context(), id, false)
		if err != nil {
			t.Fatal(err)
		}
		if !r.State.Running || len(r.NetworkSettings.Ports) != 1 {
			t.Errorf("state %+v, ports %v", r.State, r.NetworkSettings.Ports)
		}
	})
	t.Run("a removal", func(t *testing.T) {
		m := newMachine(t)
		d := m.boot()
		id := create(t, d, "web", nil)
		start(t, d, id)
		d.containers[id].change(func(r *record.Container) { r.Removing = true })
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = m.boot()
		if len(d.all()) != 0 || len(m.shims.tasks) != 0 {
			t.Errorf("left: %d containers, %d shims", len(d.all()), len(m.shims.tasks))
		}
	})
	t.Run("a creation", func(t *testing.T) {
		m := newMachine(t)
		if err := os.MkdirAll(filepath.Join(m.data, "containers", "half"), 0o700); err != nil {
			t.Fatal(err)
		}
		m.programs.held["half"] = true
		d := m.boot()
		if _, err := os.Stat(filepath.Join(m.data, "containers", "half")); !os.IsNotExist(err) {
			t.Errorf("the folder is left: %v", err)
		}
		if len(m.programs.held) != 0 || len(d.all()) != 0 {
			t.Errorf("held %v, containers %v", m.programs.held, d.all())
		}
	})
}

func TestShimDiesUnderTheDaemon(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	id := create(t, d, "", nil)
	start(t, d, id)
	next := waitFor(t, d, id, "")
	m.shims.task(d.bundle(id)).crash()
	if code := exited(t, next); code != 137 {
		t.Errorf("wait answers %d, want 137", code)
	}
	if m.shims.deletes == 0 {
		t.Error("nothing cleaned up behind the shim")
	}
}

func TestOneDaemonPerDataRoot(t *testing.T) {
	m := newMachine(t)
	m.boot()
	_, err := prepare(Config{DataRoot: m.data, RunRoot: m.run})
	want := "is in use by another wherry daemon (pid " + strconv.Itoa(os.Getpid()) + ")"
	if err == nil || !strings.Contains(err.Error(), want) || !errdefs.IsUnavailable(err) {
		t.Errorf("a second daemon on one data root: %v, want %q", err, want)
	}
}
