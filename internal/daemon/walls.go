//go:build linux

package daemon

import (
	"os"
	"path/filepath"
	"strings"

	"wherry/internal/daemon/durable"
	"wherry/internal/daemon/name"
)

// walls lists what stands around a guest besides its engine and the WASI host,
// in the form of Docker's security options: what is done to every container
// process (package sandbox), not what this kernel could do.
func walls() []string {
	w := []string{"name=no-new-privileges"}
	if os.Geteuid() != 0 {
		w = append(w, "name=rootless")
	}
	return w
}

// warnings are the limits of this engine that users should know of.
func warnings() []string {
	w := []string{
		"WARNING: The Linux sandbox (namespaces, seccomp, Landlock, cgroups) is not applied yet: only the WASI host holds a guest, in a process without new privileges. Run guests that you would run as a program of yours",
		"WARNING: No cgroup control: --cpus, --pids-limit and the like are not enforced; memory limits are, by the guest's engine",
	}
	if os.Geteuid() == 0 {
		w = append(w, "WARNING: This engine runs as root, and so do its containers' processes: a guest that broke out of its engine would be root. It needs no root: run it as an ordinary user")
	}
	return w
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
