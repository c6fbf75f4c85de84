//go:build linux

package daemon

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/filter"
	"wherry/internal/daemon/record"
)

// listFilter turns a list's filters into a test of one record. Values of one
// key are alternatives, except labels; keys must all hold.
func (d *Daemon) listFilter(ctx context.Context, f Filters) (func(record.Container) bool, error) {
	err := filter.Check(f, "ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "label!",
		"name", "network", "publish", "since", "status", "volume")
	if err != nil {
		return nil, err
	}
	var tests []func(record.Container) bool
	add := func(t func(record.Container) bool) { tests = append(tests, t) }
	any := func(key string, match func(record.Container, string) bool) {
		if values := f[key]; len(values) > 0 {
			add(func(r record.Container) bool {
				return slices.ContainsFunc(values, func(v string) bool { return match(r, v) })
			})
		}
	}
	add(func(r record.Container) bool {
		return filter.Labels(f["label"], r.Config.Labels) && filter.NoLabels(f["label!"], r.Config.Labels)
	})
	any("id", func(r record.Container, v string) bool { return strings.HasPrefix(r.ID, v) })
	for _, s := range f["status"] {
		if err := container.ValidateContainerState(container.ContainerState(s)); err != nil {
			return nil, fault.Invalid("invalid filter 'status=%s': %w", s, err)
		}
	}
	any("status", func(r record.Container, v string) bool { return string(r.State.Status) == v })
	for _, s := range f["health"] {
		if err := container.ValidateHealthStatus(container.HealthStatus(s)); err != nil {
			return nil, fault.Invalid("invalid filter 'health=%s': %w", s, err)
		}
	}
	any("health", func(r record.Container, v string) bool { return v == string(d.healthOf(r.ID).Status) })
	any("isolation", func(_ record.Container, v string) bool { return container.Isolation(v).IsDefault() })
	if task, err := filter.Bool(f, "is-task", false); err != nil {
		return nil, err
	} else if task { // of swarm, which there is not
		add(func(record.Container) bool { return false })
	}
	any("volume", func(r record.Container, v string) bool {
		return slices.ContainsFunc(r.Mounts, func(m record.Mount) bool { return m.Name == v || m.Destination == v || m.Source == v })
	})
	any("network", func(r record.Container, v string) bool {
		name := string(r.HostConfig.NetworkMode)
		return v == name || (len(v) >= 3 && strings.HasPrefix(NetworkID(name), v))
	})
	exited, err := ints(f["exited"])
	if err != nil {
		return nil, fault.Invalid("invalid filter 'exited=%s': want an exit code", strings.Join(f["exited"], ","))
	}
	if len(exited) > 0 {
		add(func(r record.Container) bool {
			return slices.Contains(exited, r.State.ExitCode) && !r.State.Live() && !r.State.FinishedAt.IsZero()
		})
	}
	for _, build := range []func(Filters) (func(record.Container) bool, error){nameTest, d.orderTest, publishTest, exposeTest} {
		t, err := build(f)
		if err != nil {
			return nil, err
		}
		if t != nil {
			add(t)
		}
	}
	t, err := d.ancestorTest(ctx, f)
	if err != nil {
		return nil, err
	}
	if t != nil {
		add(t)
	}
	return func(r record.Container) bool {
		for _, t := range tests {
			if !t(r) {
				return false
			}
		}
		return true
	}, nil
}

// nameTest matches names by regular expression, with or without the slash that
// Docker's names begin with.
func nameTest(f Filters) (func(record.Container) bool, error) {
	var exps []*regexp.Regexp
	for _, v := range f["name"] {
		re, err := regexp.Compile(v)
		if err != nil {
			return nil, fault.Invalid("invalid filter 'name=%s': %w", v, err)
		}
		exps = append(exps, re)
	}
	if exps == nil {
		return nil, nil
	}
	return func(r record.Container) bool {
		return slices.ContainsFunc(exps, func(re *regexp.Regexp) bool {
			return re.MatchString(r.Name) || re.MatchString("/"+r.Name)
		})
	}, nil
}

// orderTest chooses what was created before or since another container.
func (d *Daemon) orderTest(f Filters) (func(record.Container) bool, error) {
	var tests []func(record.Container) bool
	for key, after := range map[string]bool{"since": true, "before": false} {
		for _, v := range f[key] {
			c, err := d.find(v)
			if err != nil {
				return nil, err
			}
			other := c.snapshot()
			tests = append(tests, func(r record.Container) bool {
				if after {
					return r.Created.After(other.Created)
				}
				return r.Created.Before(other.Created)
			})
		}
	}
	if tests == nil {
		return nil, nil
	}
	return func(r record.Container) bool {
		for _, t := range tests {
			if !t(r) {
				return false
			}
		}
		return true
	}, nil
}

// ancestorTest matches the image by ID or by a name that means the same image
// now.
func (d *Daemon) ancestorTest(ctx context.Context, f Filters) (func(record.Container) bool, error) {
	values := f["ancestor"]
	if len(values) == 0 {
		return nil, nil
	}
	ids := map[string]bool{}
	for _, v := range values {
		if d.store == nil {
			continue
		}
		img, err := d.store.Get(ctx, v, "")
		switch {
		case err == nil:
			ids[img.ID.String()] = true
		case !errdefs.IsNotFound(err) && !errdefs.IsInvalidArgument(err):
			return nil, err
		}
	}
	return func(r record.Container) bool {
		return ids[r.Image.ID] || slices.ContainsFunc(values, func(v string) bool {
			return v == r.Config.Image || (len(v) >= 4 && strings.HasPrefix(strings.TrimPrefix(r.Image.ID, "sha256:"), strings.TrimPrefix(v, "sha256:")))
		})
	}, nil
}

func portRanges(key string, values []string) ([]network.PortRange, error) {
	var ranges []network.PortRange
	for _, v := range values {
		r, err := network.ParsePortRange(v)
		if err != nil {
			return nil, fault.Invalid("invalid filter '%s=%s': want PORT[-PORT][/PROTOCOL]: %w", key, v, err)
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}

func within(ranges []network.PortRange, port uint16, proto network.IPProtocol) bool {
	return slices.ContainsFunc(ranges, func(r network.PortRange) bool {
		return r.Proto() == proto && r.Start() <= port && port <= r.End()
	})
}

// publishTest matches the container's side of published ports, whatever ports
// of the host they got, as Docker does.
func publishTest(f Filters) (func(record.Container) bool, error) {
	ranges, err := portRanges("publish", f["publish"])
	if err != nil || ranges == nil {
		return nil, err
	}
	return func(r record.Container) bool {
		for p, bindings := range r.HostConfig.PortBindings {
			if len(bindings) > 0 && within(ranges, p.Num(), p.Proto()) {
				return true
			}
		}
		return slices.ContainsFunc(portSummaries(r), func(p container.PortSummary) bool { // -P
			return p.PublicPort != 0 && within(ranges, p.PrivatePort, network.IPProtocol(p.Type))
		})
	}, nil
}

// exposeTest matches the container's side of its ports.
func exposeTest(f Filters) (func(record.Container) bool, error) {
	ranges, err := portRanges("expose", f["expose"])
	if err != nil || ranges == nil {
		return nil, err
	}
	return func(r record.Container) bool {
		for p := range r.Config.ExposedPorts {
			if within(ranges, p.Num(), p.Proto()) {
				return true
			}
		}
		return false
	}, nil
}
