//go:build linux

package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wherry/internal/daemon/admit"
	"wherry/internal/daemon/durable"
	"wherry/internal/daemon/name"
	"wherry/internal/shim/bundle"
)

// wall is one of those around a guest, besides its engine and the WASI host.
type wall struct {
	// key is the wall's name in [bundle.Walls].
	key string
	// option is how Docker's list of security options has it.
	option func(bundle.Walls) string
	stands func(bundle.Walls) bool
	// lost is what a machine without it gives up, and cure what brings it.
	lost, cure string
}

func plain(option string) func(bundle.Walls) string {
	return func(bundle.Walls) string { return option }
}

// wallsOf lists the walls that could stand for an engine of this user, in the
// order in which a guest would meet them. Every container's process gets those
// that the machine has (package sandbox).
func wallsOf(root bool) []wall {
	list := []wall{
		{"seccomp", plain("name=seccomp,profile=builtin"), func(w bundle.Walls) bool { return w.Seccomp },
			"a guest that broke out of its engine could make any system call", "it needs a kernel with seccomp filters"},
		{"landlock", func(w bundle.Walls) string { return fmt.Sprintf("name=landlock,abi=%d", w.Landlock) },
			func(w bundle.Walls) bool { return w.Landlock > 0 },
			"only the mount namespace keeps a guest's process from the host's files", "it needs Linux 5.13 or later with lsm=landlock,… among its parameters"},
		{"mdwe", plain("name=mdwe"), func(w bundle.Walls) bool { return w.MDWE },
			"a guest's process could make new machine code", "it needs Linux 6.3 or later"},
		{"mountns", plain("name=mountns"), func(w bundle.Walls) bool { return w.Mountns },
			"a guest's process has the host's file tree", "an ordinary user needs user namespaces for it, root CAP_SYS_ADMIN"},
		{"pidns", plain("name=pidns"), func(w bundle.Walls) bool { return w.Pidns },
			"a guest's process could see other processes", "an ordinary user needs user namespaces for it, root CAP_SYS_ADMIN"},
		{"netns", plain("name=netns"), func(w bundle.Walls) bool { return w.Netns },
			"--network none is held by the WASI host and by seccomp only", "an ordinary user needs user namespaces for it, root CAP_SYS_ADMIN"},
	}
	if !root {
		list = append(list, wall{"userns", plain("name=userns"), func(w bundle.Walls) bool { return w.Userns },
			"there are no namespaces around a guest", "sysctl user.max_user_namespaces above 0; on Debian kernel.unprivileged_userns_clone=1, on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0"})
	}
	return list
}

// securityOptions lists the walls that stand on this machine, in the form of
// Docker's list.
func securityOptions(w bundle.Walls, root bool) []string {
	list := []string{"name=no-new-privileges"}
	if !root {
		list = append(list, "name=rootless")
	}
	for _, wall := range wallsOf(root) {
		if wall.stands(w) {
			list = append(list, wall.option(w))
		}
	}
	return list
}

// warnings tell which walls and limits are missing on this machine, why, and
// what to do.
func warnings(w bundle.Walls, m admit.Machine, root bool) []string {
	list := []string{}
	for _, wall := range wallsOf(root) {
		if !wall.stands(w) {
			list = append(list, fmt.Sprintf("WARNING: No %s%s: %s. To have it: %s", wall.key, because(w, wall.key), wall.lost, wall.cure))
		}
	}
	if m.Cgroup == "" {
		return append(list, fmt.Sprintf("WARNING: No cgroups%s: --cpus, --pids-limit and the like are not enforced; memory is, by the guest's engine. To have them: run the engine as root, or in a cgroup that is delegated to its user", because(w, "cgroup")))
	}
	// As dockerd words them.
	for _, l := range []struct{ feature, name string }{
		{admit.FeatureMemory, "memory limit"}, {admit.FeatureSwap, "swap limit"}, {admit.FeatureCPU, "cpu"},
		{admit.FeatureCpuset, "cpuset"}, {admit.FeaturePids, "pids limit"},
	} {
		if !slices.Contains(m.Features, l.feature) {
			list = append(list, "WARNING: No "+l.name+" support")
		}
	}
	return list
}

func because(w bundle.Walls, key string) string {
	if why := w.Why[key]; why != "" {
		return " (" + why + ")"
	}
	return ""
}

// id is the engine's own, made once for a data root.
func (d *Daemon) id() string {
	path := filepath.Join(d.cfg.DataRoot, "engine-id")
	if b, err := os.ReadFile(path); err == nil && len(b) > 0 {
		return strings.TrimSpace(string(b))
	}
	id := name.NewID()[:32]
	if err := durable.WriteFile(path, []byte(id+"\n"), 0o600); err != nil {
		d.log.Warn("the engine's ID is not kept", "error", err)
	}
	return id
}
