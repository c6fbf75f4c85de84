// Package admit decides which of Docker's container settings a WebAssembly
// program can have: each one works, is true of every such program anyway, is
// taken with a warning that it is not enforced, or is refused with a sentence.
// Nothing is dropped in silence.
//
// It must not know how a container runs, nor find out what the machine can do:
// it is told ([Machine]).
package admit

import (
	"fmt"
	"strings"

	"github.com/moby/moby/api/types/container"

	"wherry/internal/daemon/fault"
	"wherry/internal/shim/bundle"
)

// verdict is what becomes of a setting.
type verdict int

const (
	// works: another part of the engine reads it.
	works verdict = iota
	// holds: what it asks for is so for every WebAssembly program, or concerns
	// only things that such a program has no way to reach.
	holds
	// limits: a cgroup enforces it where the machine has what it takes; else
	// it is one that warns.
	limits
	// warns: it is recorded and shown, and not enforced; the answer to create
	// says so.
	warns
	// refused: create fails.
	refused
)

// rule is a row of the tables: a field by its name in Docker's API.
type rule struct {
	field   string
	verdict verdict
	// why is the warning or the refusal; for the others a note to the reader.
	why string
	// set tells whether the request uses the setting in the way that is limited,
	// warned of or refused; nil for settings that work or hold in every form.
	set func(request) bool

	// option and feature are a limit's: how the command line writes it, and
	// what a machine's cgroups must have for it.
	option, feature string
	// clear takes a limit away that can't be had.
	clear func(*container.Resources)
	// anyway tells that a limit holds without cgroups, too.
	anyway bool
}

type request struct {
	c *container.Config
	h *container.HostConfig
}

// Check answers the warnings that the settings deserve, or the refusal of the
// first that cannot be had. The machine is asked only where it matters.
func Check(c *container.Config, h *container.HostConfig, m func() Machine) ([]string, error) {
	r := request{c, h}
	var warnings []string
	for _, table := range [][]rule{hostRules, resourceRules, configRules} {
		for _, rule := range table {
			if rule.verdict == works || rule.verdict == holds || !rule.set(r) {
				continue
			}
			switch rule.verdict {
			case limits:
				if why := m().lacks(rule.feature); why != "" && !rule.anyway {
					warnings = append(warnings, rule.option+" is not enforced: "+why)
				}
			case warns:
				warnings = append(warnings, rule.why)
			case refused:
				return nil, fault.Invalid("%s", rule.why)
			}
		}
	}
	if n := h.PidsLimit; n != nil && *n > 0 && *n < bundle.LeastTasks && m().lacks(FeaturePids) == "" {
		warnings = append(warnings, fmt.Sprintf("--pids-limit %d is raised to %d, the threads of the process around the guest; a guest makes none itself", *n, bundle.LeastTasks))
	}
	if err := values(c, h, m); err != nil {
		return nil, err
	}
	for _, check := range []func(*container.HostConfig, func() Machine) ([]string, error){security, oomScore, groups} {
		more, err := check(h, m)
		if err != nil {
			return nil, err
		}
		warnings = append(warnings, more...)
	}
	return warnings, nil
}

// minMemory is the smallest limit that Docker takes, in bytes.
const minMemory = 6 << 20

// values checks settings that work, but not with every value.
func values(c *container.Config, h *container.HostConfig, m func() Machine) error {
	if err := resources(&h.Resources, m); err != nil {
		return err
	}
	if _, err := Capabilities(h.CapAdd, h.CapDrop); err != nil {
		return err
	}
	if err := sysctls(c, h); err != nil {
		return err
	}
	if err := container.ValidateRestartPolicy(h.RestartPolicy); err != nil {
		return fault.Invalid("%w", err)
	}
	if h.AutoRemove && !h.RestartPolicy.IsNone() {
		return fault.Invalid("can't create 'AutoRemove' container with restart policy")
	}
	if c.StopTimeout != nil && *c.StopTimeout < -1 {
		return fault.Invalid("invalid stop timeout %d: want seconds, or -1 for no end", *c.StopTimeout)
	}
	if h.VolumeDriver != "" && h.VolumeDriver != "local" {
		return fault.NotFound("error looking up volume plugin %s: plugin %q not found; only \"local\" is built in", h.VolumeDriver, h.VolumeDriver)
	}
	if err := network(h); err != nil {
		return err
	}
	if err := ports(h); err != nil {
		return err
	}
	if err := logging(h.LogConfig); err != nil {
		return err
	}
	for _, u := range h.Ulimits {
		if u == nil {
			return fault.Invalid("invalid ulimit: it is empty")
		}
		if _, err := u.GetRlimit(); err != nil {
			return fault.Invalid("invalid ulimit %s: %w", u.Name, err)
		}
		if u.Hard != -1 && (u.Soft > u.Hard || u.Soft == -1) {
			return fault.Invalid("ulimit %s: soft limit must be less than or equal to hard limit: %d > %d", u.Name, u.Soft, u.Hard)
		}
	}
	for _, e := range c.Env {
		if e == "" || strings.HasPrefix(e, "=") {
			return fault.Invalid("invalid environment variable: %q: want NAME=value", e)
		}
		if strings.ContainsRune(e, 0) {
			return fault.Invalid("invalid environment variable: %q contains a zero byte", e)
		}
	}
	if c.WorkingDir != "" && !strings.HasPrefix(c.WorkingDir, "/") {
		return fault.Invalid("the working directory '%s' is invalid, it needs to be an absolute path", c.WorkingDir)
	}
	return nil
}
