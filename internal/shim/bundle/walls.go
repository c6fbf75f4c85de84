package bundle

// WallsCommand is the argument with which the shim's program prints [Walls].
const WallsCommand = "walls"

// LeastTasks is the least that a limit on processes leaves a container process:
// the Go runtime's threads and the engine's. A guest makes none, so a lower one
// would bound only them.
const LeastTasks = 64

// Walls are the walls that this machine lets a shim put up around a guest for
// the user who asks. The shim's program prints them as one JSON object.
type Walls struct {
	// Userns tells that an ordinary user may make user namespaces; as root it
	// is not needed.
	Userns bool `json:"userns"`
	// Mountns, Pidns and Netns tell which other namespaces can be made.
	Mountns bool `json:"mountns"`
	Pidns   bool `json:"pidns"`
	Netns   bool `json:"netns"`
	// Landlock is the version of the kernel's Landlock ABI, 0 where there is
	// none.
	Landlock int  `json:"landlock"`
	Seccomp  bool `json:"seccomp"`
	// MDWE tells that a process may forbid itself new executable memory
	// (PR_SET_MDWE).
	MDWE bool `json:"mdwe"`
	// Cgroup is "v1" or "v2" where cgroups can be made, else empty, and
	// CgroupControllers are the controllers that can be used then.
	Cgroup            string   `json:"cgroup"`
	CgroupControllers []string `json:"cgroupControllers"`
	// CgroupParent makes linux.cgroupsPath of a container's id: parent + id. It
	// ends in "/", or in ":" where systemd makes the cgroups.
	CgroupParent string `json:"cgroupParent"`
	// DefaultEngine is the engine of a container that names none.
	DefaultEngine string `json:"defaultEngine"`
	// Why tells in words why a wall does not stand, by its name above.
	Why map[string]string `json:"why"`
}
