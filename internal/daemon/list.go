//go:build linux

package daemon

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"

	"wherry/internal/daemon/record"
)

// ContainerList lists containers, the newest first: those that run, or with
// All every one. A filter on the status or the exit code implies All.
func (d *Daemon) ContainerList(ctx context.Context, o ListOptions) ([]container.Summary, error) {
	keep, err := d.listFilter(ctx, o.Filters)
	if err != nil {
		return nil, err
	}
	var recs []record.Container
	for _, c := range d.all() {
		recs = append(recs, c.snapshot())
	}
	slices.SortFunc(recs, func(a, b record.Container) int {
		if n := b.Created.Compare(a.Created); n != 0 {
			return n
		}
		return strings.Compare(a.ID, b.ID)
	})
	all := o.All || o.Limit > 0 || len(o.Filters["status"]) > 0 || len(o.Filters["exited"]) > 0
	list := []container.Summary{}
	for _, rec := range recs {
		if (!all && !rec.State.Live()) || !keep(rec) {
			continue
		}
		list = append(list, d.summary(rec, o.Size))
		if o.Limit > 0 && len(list) == o.Limit {
			break
		}
	}
	return list, nil
}

func (d *Daemon) summary(rec record.Container, size bool) container.Summary {
	health := d.healthOf(rec.ID)
	s := container.Summary{
		ID: rec.ID, Names: []string{"/" + rec.Name}, Image: rec.Config.Image, ImageID: rec.Image.ID,
		ImageManifestDescriptor: rec.Image.Manifest, Command: command(rec), Created: rec.Created.Unix(),
		Ports: portSummaries(rec), Labels: rec.Config.Labels, State: rec.State.Status,
		Status:          statusWords(rec.State, d.clock.Now()),
		Health:          &container.HealthSummary{Status: health.Status, FailingStreak: health.FailingStreak},
		NetworkSettings: &container.NetworkSettingsSummary{Networks: networksOf(rec)},
		Mounts:          mountPoints(rec),
	}
	if rec.State.Status == container.StateRunning {
		s.Status += healthWords(health.Status)
	}
	if s.Labels == nil {
		s.Labels = map[string]string{}
	}
	s.HostConfig.NetworkMode = string(rec.HostConfig.NetworkMode)
	s.HostConfig.Annotations = rec.HostConfig.Annotations
	if size {
		s.SizeRw, s.SizeRootFs = d.sizes(rec)
	}
	return s
}

// command is the program and its arguments in one line; those with spaces are
// quoted, as Docker does.
func command(rec record.Container) string {
	words := []string{rec.Path}
	for _, a := range rec.Args {
		if strings.Contains(a, " ") {
			a = "'" + a + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}

// statusWords is a state in Docker's words, such as "Exited (143) 5 seconds
// ago".
func statusWords(s record.State, now time.Time) string {
	since := func(t time.Time) string { return units.HumanDuration(now.Sub(t)) }
	switch s.Status {
	case container.StateRunning:
		return "Up " + since(s.StartedAt)
	case container.StatePaused:
		return "Up " + since(s.StartedAt) + " (Paused)"
	case container.StateRestarting:
		return fmt.Sprintf("Restarting (%d) %s ago", s.ExitCode, since(s.FinishedAt))
	case container.StateExited:
		return fmt.Sprintf("Exited (%d) %s ago", s.ExitCode, since(s.FinishedAt))
	case container.StateRemoving:
		return "Removal In Progress"
	case container.StateDead:
		return "Dead"
	default:
		return "Created"
	}
}

func ints(values []string) ([]int, error) {
	var out []int
	for _, v := range values {
		n, err := strconv.Atoi(v)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}
