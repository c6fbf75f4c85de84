//go:build linux

package daemon

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/spec"
	"wherry/internal/shim/bundle"
)

func TestStatusWords(t *testing.T) {
	now := time.Now()
	for want, s := range map[string]record.State{
		"Created":                           {Status: container.StateCreated},
		"Up 3 seconds":                      {Status: container.StateRunning, StartedAt: now.Add(-3 * time.Second)},
		"Up 2 hours (Paused)":               {Status: container.StatePaused, StartedAt: now.Add(-2 * time.Hour)},
		"Exited (143) 1 second ago":         {Status: container.StateExited, ExitCode: 143, FinishedAt: now.Add(-time.Second)},
		"Restarting (1) 5 minutes ago":      {Status: container.StateRestarting, ExitCode: 1, FinishedAt: now.Add(-5 * time.Minute)},
		"Dead":                              {Status: container.StateDead},
		"Removal In Progress":               {Status: container.StateRemoving},
		"Exited (0) Less than a second ago": {Status: container.StateExited, FinishedAt: now},
	} {
		if got := statusWords(s, now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestListFilters(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	one, err := d.ContainerCreate(t.Context(), CreateOptions{Name: "one", Request: container.CreateRequest{
		Config:     &container.Config{Image: "app", Labels: map[string]string{"tier": "front"}, ExposedPorts: network.PortSet{network.MustParsePort("80"): {}}},
		HostConfig: &container.HostConfig{Binds: []string{"data:/data"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	two := create(t, d, "two", &container.HostConfig{
		NetworkMode: "none", PortBindings: network.PortMap{network.MustParsePort("53/udp"): {{HostPort: "0"}}},
	})
	start(t, d, one.ID)
	d.containers[one.ID].change(func(r *record.Container) {
		r.Ports = spec.Published([]bundle.Port{{Proto: "tcp", HostPort: 8080, ContainerPort: 80}})
	})
	three := create(t, d, "three", nil)
	start(t, d, three)
	m.shims.task(d.bundle(three)).end(3, "")
	exited(t, waitFor(t, d, three, ""))

	for _, tt := range []struct {
		f    Filters
		want string
	}{
		{nil, "three two one"},
		{Filters{"name": {"o"}}, "two one"},
		{Filters{"name": {"^/one$"}}, "one"},
		{Filters{"id": {two[:10]}}, "two"},
		{Filters{"status": {"running"}}, "one"},
		{Filters{"status": {"created", "exited"}}, "three two"},
		{Filters{"exited": {"3"}}, "three"},
		{Filters{"exited": {"0"}}, ""},
		{Filters{"label": {"tier=front"}}, "one"},
		{Filters{"label!": {"tier"}}, "three two"},
		{Filters{"label": {"of=image"}, "status": {"running"}}, "one"},
		{Filters{"network": {"none"}}, "two"},
		{Filters{"network": {"bridge"}}, "three one"},
		{Filters{"volume": {"data"}}, "one"},
		{Filters{"volume": {"/data"}}, "one"},
		{Filters{"publish": {"80"}}, "one"},
		{Filters{"publish": {"70-90/tcp"}}, "one"},
		{Filters{"publish": {"80/udp"}}, ""},
		{Filters{"publish": {"8080"}}, ""}, // the host's side
		{Filters{"publish": {"53/udp"}}, "two"},
		{Filters{"expose": {"80"}}, "one"},
		{Filters{"since": {"one"}}, "three two"},
		{Filters{"before": {"three"}}, "two one"},
		{Filters{"ancestor": {"app"}}, "three two one"},
		{Filters{"ancestor": {"other"}}, ""},
		{Filters{"health": {"none"}}, "three two one"},
		{Filters{"is-task": {"true"}}, ""},
	} {
		list, err := d.ContainerList(t.Context(), ListOptions{All: true, Filters: tt.f})
		if err != nil {
			t.Errorf("%v: %v", tt.f, err)
			continue
		}
		var names []string
		for _, s := range list {
			names = append(names, strings.TrimPrefix(s.Names[0], "/"))
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.f, got, tt.want)
		}
	}
	for _, bad := range []Filters{{"colour": {"red"}}, {"status": {"happy"}}, {"exited": {"x"}}, {"name": {"("}}, {"publish": {"x"}}, {"is-task": {"x"}}} {
		if _, err := d.ContainerList(t.Context(), ListOptions{Filters: bad}); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if list, err := d.ContainerList(t.Context(), ListOptions{}); err != nil || len(list) != 1 || len(list[0].Ports) != 2 || list[0].Mounts[0].Name != "data" {
		t.Errorf("those that run: %+v %v", list, err)
	}
	if list, err := d.ContainerList(t.Context(), ListOptions{Limit: 2}); err != nil || len(list) != 2 {
		t.Errorf("the last two: %v %v", list, err)
	}
}

func TestPsColumns(t *testing.T) {
	for args, want := range map[string]string{
		"":               "user pid ppid c stime tty time cmd",
		"-ef":            "user pid ppid c stime tty time cmd",
		"aux":            "user pid pcpu pmem vsz rss tty stat stime time args",
		"-o pid,command": "pid args",
		"-eo pid":        "pid",
		"-opid,rss":      "pid rss",
	} {
		got, err := psColumns([]string{args})
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %v %v", args, got, err)
		}
	}
	for _, bad := range []string{"-x", "-o colour", "-o"} {
		if _, err := psColumns([]string{bad}); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestPrune(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	idle := create(t, d, "idle", &container.HostConfig{Binds: []string{"named:/n", "/a"}})
	busy := create(t, d, "busy", nil)
	start(t, d, busy)
	report, err := d.ContainersPrune(t.Context(), nil)
	if err != nil || !slices.Equal(report.ContainersDeleted, []string{idle}) {
		t.Fatalf("%+v %v", report, err)
	}
	volumes, err := d.VolumesPrune(t.Context(), nil)
	if err != nil || len(volumes.VolumesDeleted) != 1 || len(volumes.VolumesDeleted[0]) != 64 {
		t.Errorf("%+v %v", volumes, err)
	}
	volumes, err = d.VolumesPrune(t.Context(), Filters{"all": {"true"}})
	if err != nil || !slices.Equal(volumes.VolumesDeleted, []string{"named"}) {
		t.Errorf("%+v %v", volumes, err)
	}
	if _, err := d.ContainersPrune(t.Context(), Filters{"x": {"y"}}); !errdefs.IsInvalidArgument(err) {
		t.Error(err)
	}
}

func TestUpdate(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	id := create(t, d, "", nil)
	start(t, d, id)
	r, err := d.ContainerUpdate(t.Context(), id, container.UpdateConfig{
		RestartPolicy: container.RestartPolicy{Name: "always"}, Resources: container.Resources{NanoCPUs: 1e9},
	})
	if err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "--cpus is not enforced") {
		t.Errorf("%+v %v", r, err)
	}
	running := m.shims.task(d.bundle(id))
	running.updateErr = fault.NotBuilt("no cgroup")
	_, err = d.ContainerUpdate(t.Context(), id, container.UpdateConfig{Resources: container.Resources{Memory: 64 << 20}})
	if !errdefs.IsConflict(err) || !strings.Contains(err.Error(), "stop the container, update, start it again") {
		t.Errorf("memory of a running container: %v", err)
	}
	m.shims.task(d.bundle(id)).end(0, "")
	eventually(t, "the new policy starts it again", func() bool {
		in, err := d.ContainerInspect(t.Context(), id, false)
		return err == nil && in.RestartCount == 1 && in.State.Status == container.StateRunning
	})
	stopIt(t, d, id)
	if _, err := d.ContainerUpdate(t.Context(), id, container.UpdateConfig{Resources: container.Resources{Memory: 64 << 20}}); err != nil {
		t.Error(err)
	}
	in, err := d.ContainerInspect(t.Context(), id, false)
	if err != nil || in.HostConfig.Memory != 64<<20 || in.HostConfig.RestartPolicy.Name != "always" {
		t.Errorf("%+v %v", in.HostConfig, err)
	}
}

func TestVolumesFrom(t *testing.T) {
	d := newMachine(t).boot()
	create(t, d, "first", &container.HostConfig{Binds: []string{"data:/data", "/own"}})
	id := create(t, d, "second", &container.HostConfig{VolumesFrom: []string{"first:ro"}})
	in, err := d.ContainerInspect(t.Context(), id, false)
	if err != nil || len(in.Mounts) != 2 {
		t.Fatalf("%+v %v", in.Mounts, err)
	}
	for _, m := range in.Mounts {
		if m.RW || m.Source == "" {
			t.Errorf("%+v", m)
		}
	}
	// The other's anonymous volume stays when this one goes.
	if err := d.ContainerRemove(t.Context(), id, RemoveOptions{Volumes: true}); err != nil {
		t.Fatal(err)
	}
	if n := len(d.volumes.List()); n != 2 {
		t.Errorf("%d volumes, want 2", n)
	}
}
