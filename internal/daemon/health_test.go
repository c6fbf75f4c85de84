//go:build linux

package daemon

import (
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
)

func TestHealth(t *testing.T) {
	m := newMachine(t)
	d := m.boot()
	res, err := d.ContainerCreate(t.Context(), CreateOptions{Request: container.CreateRequest{
		Config: &container.Config{Image: "app", Healthcheck: &container.HealthConfig{
			Test: []string{"CMD", "/check.wasm"}, Interval: 10 * time.Millisecond, Timeout: time.Minute, Retries: 2,
		}},
		HostConfig: &container.HostConfig{},
	}})
	if err != nil {
		t.Fatal(err)
	}
	id := res.ID
	fail := func(code int) {
		task := m.shims.task(d.bundle(id))
		task.mu.Lock()
		defer task.mu.Unlock()
		task.execCode = code
	}
	m.shims.created = func(f *fakeTask) { f.execCode = 1 }
	start(t, d, id)
	eventually(t, "unhealthy", func() bool {
		h := inspect(t, d, id).Health
		return h != nil && h.Status == container.Unhealthy && h.FailingStreak >= 2 && h.Log[0].ExitCode == 1 && h.Log[0].Output == "ok"
	})
	fail(0)
	eventually(t, "healthy", func() bool {
		h := inspect(t, d, id).Health
		return h.Status == container.Healthy && h.FailingStreak == 0 && len(h.Log) <= checkLog
	})
	list, err := d.ContainerList(t.Context(), ListOptions{Filters: Filters{"health": {"healthy"}}})
	if err != nil || len(list) != 1 || !strings.HasSuffix(list[0].Status, "(healthy)") || list[0].Health.Status != container.Healthy {
		t.Errorf("list: %+v, %v", list, err)
	}
}

func TestNoteHealth(t *testing.T) {
	d := newMachine(t).boot()
	c := d.all()
	if len(c) != 0 {
		t.Fatalf("a new machine has %d containers", len(c))
	}
	id := create(t, d, "web", nil)
	web, err := d.find(id)
	if err != nil {
		t.Fatal(err)
	}
	web.health = &container.Health{Status: container.Starting}
	h := &container.HealthConfig{Retries: 1}
	bad, good := &container.HealthcheckResult{ExitCode: 1}, &container.HealthcheckResult{}
	for _, step := range []struct {
		r        *container.HealthcheckResult
		starting bool
		want     container.HealthStatus
	}{
		{bad, true, container.Starting}, // does not count
		{good, true, container.Healthy},
		{bad, true, container.Unhealthy}, // it had started
		{good, false, container.Healthy},
	} {
		web.noteHealth(h, step.r, step.starting)
		if got := web.healthNow().Status; got != step.want {
			t.Errorf("%s, want %s", got, step.want)
		}
	}
}

func TestMergeCheck(t *testing.T) {
	image := &container.HealthConfig{Test: []string{"CMD", "/c"}, Interval: time.Second, Retries: 5}
	got := mergeCheck(&container.HealthConfig{Interval: time.Minute}, image)
	if got.Interval != time.Minute || got.Retries != 5 || len(got.Test) != 2 {
		t.Errorf("%+v", got)
	}
	if mergeCheck(nil, image) != image || mergeCheck(image, nil) != image {
		t.Error("one alone is not taken")
	}
}
