package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/systemd"
	"golang.org/x/sys/unix"
)

// Support is what this program can have of cgroups.
type Support struct {
	// Version is 1 or 2; 0 where there are none for this user.
	Version int
	// Controllers are those that limits can be set with, sorted.
	Controllers []string
	// Parent makes a path for [Config] of a container's name: Parent + name.
	Parent string
	// Why says in words why Version is 0.
	Why string
}

// Probe looks at what a group made by this program would have. It makes none.
func Probe() Support {
	v2 := cgroups.IsCgroup2UnifiedMode()
	if !mounted(v2) {
		return Support{Why: "no cgroup file system is mounted at " + root}
	}
	if os.Geteuid() != 0 {
		return probeUser(v2)
	}
	if !v2 {
		return probeV1()
	}
	if err := unix.Access(root, unix.W_OK); err != nil {
		return Support{Why: fmt.Sprintf("%s cannot be written (%v), as in most containers", root, err)}
	}
	return Support{Version: 2, Controllers: controllersIn(root), Parent: "/wherry/"}
}

func probeV1() Support {
	mounts, err := cgroups.GetCgroupMounts(false)
	if err != nil {
		return Support{Why: err.Error()}
	}
	s := Support{Version: 1, Parent: "/wherry/"}
	for _, m := range mounts {
		if err := unix.Access(m.Mountpoint, unix.W_OK); err != nil {
			return Support{Why: fmt.Sprintf("%s cannot be written (%v), as in most containers", m.Mountpoint, err)}
		}
		for _, name := range m.Subsystems {
			if !strings.HasPrefix(name, "name=") {
				s.Controllers = append(s.Controllers, name)
			}
		}
	}
	slices.Sort(s.Controllers)
	return s
}

// probeUser looks for the systemd of an ordinary user, which alone delegates
// groups to them.
func probeUser(v2 bool) Support {
	if !v2 {
		return Support{Why: "an ordinary user has cgroups of version 2 only, and this machine has version 1"}
	}
	const want = "an ordinary user has cgroups through a systemd of the user's own, "
	if !systemd.IsRunningSystemd() {
		return Support{Why: want + "and systemd does not run here"}
	}
	if _, err := systemd.DetectUserDbusSessionBusAddress(); err != nil {
		return Support{Why: want + "and its bus is not there (neither DBUS_SESSION_BUS_ADDRESS nor $XDG_RUNTIME_DIR/bus): log in, or loginctl enable-linger, with dbus-user-session installed"}
	}
	uid := os.Getuid()
	dir := fmt.Sprintf("%s/user.slice/user-%d.slice/user@%d.service", root, uid, uid)
	if !cgroups.PathExists(dir) {
		return Support{Why: want + "and there is no " + dir}
	}
	return Support{Version: 2, Controllers: controllersIn(dir), Parent: "user.slice:wherry:"}
}

// controllersIn are the controllers of a folder of version 2.
func controllersIn(dir string) []string {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return nil
	}
	names := strings.Fields(string(text))
	slices.Sort(names)
	return names
}
