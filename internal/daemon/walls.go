//go:build linux

package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"wherry/internal/daemon/durable"
	"wherry/internal/daemon/name"
)

// walls lists what stands around a guest besides its engine, in the form of
// Docker's security options.
func walls() []string {
	var w []string
	if seccomp() {
		w = append(w, "name=seccomp,profile=builtin")
	}
	if n := landlock(); n > 0 {
		w = append(w, fmt.Sprintf("name=landlock,abi=%d", n))
	}
	if os.Geteuid() != 0 {
		w = append(w, "name=rootless")
	}
	return w
}

// warnings are the limits of this machine and this engine that users should
// know of.
func warnings() []string {
	w := []string{"WARNING: No cgroup control: --cpus, --pids-limit and the like are not enforced; memory limits are, by the guest's engine"}
	if !seccomp() {
		w = append(w, "WARNING: This kernel has no seccomp: a guest that broke out of its engine could make any system call")
	}
	if landlock() == 0 {
		w = append(w, "WARNING: This kernel has no Landlock: a guest that broke out of its engine could reach the files that the engine's user may reach")
	}
	return w
}

func seccomp() bool {
	b, err := os.ReadFile("/proc/sys/kernel/seccomp/actions_avail")
	return err == nil && strings.Contains(string(b), "kill")
}

// landlock is the kernel's Landlock version, 0 where there is none
// (landlock_create_ruleset(2), LANDLOCK_CREATE_RULESET_VERSION).
func landlock() int {
	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(n)
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
