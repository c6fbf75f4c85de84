package daemon

// Sandbox is what a guest could do and what it was given, which inspect shows
// beside what Docker knows of containers and images.
type Sandbox struct {
	// May lists what the module could ever do to the world, by what it
	// imports: listen, accept, connect, resolve names, read clock. Everything
	// else that it could call concerns its own files, streams and memory.
	May []string
	// Unknown tells why May is not known, such as that there is no module.
	Unknown string `json:",omitempty"`
	// Granted is what a container was given; images have none.
	Granted *Granted `json:",omitempty"`
}

// Granted is what a container may reach, and what stands around it.
type Granted struct {
	// Engine is the Wasm engine's name.
	Engine string
	// Root is "read-write", "read-only" or "none".
	Root   string
	Mounts []GrantedMount
	// Network is "private", "host" or "none".
	Network string
	// Connect is what the guest may connect to: "nothing", "outside" (other
	// machines, but no address of this one), "anything", or the list of the
	// annotation wherry.connect.
	Connect string
	// Publish lists the ports that reach the guest: as they are bound while it
	// runs, else as asked for.
	Publish []string
	User    GrantedUser
	// Capabilities are the kernel's that the guest's process holds.
	Capabilities []string
	// Walls names what stands around the guest's process on this machine, and
	// Missing what would stand on another.
	Walls   []string
	Missing []string `json:",omitempty"`
	Limits  GrantedLimits
}

// GrantedMount is a mount that a guest has.
type GrantedMount struct {
	Destination, Source string
	// Access is "read-write" or "read-only".
	Access string
}

// GrantedUser is who the guest's process is.
type GrantedUser struct {
	UID, GID uint32
	Groups   []uint32
}

// GrantedLimits are the limits that hold; those that were asked for and are not
// enforced on this machine are not among them. The units are Docker's.
type GrantedLimits struct {
	// MemoryBy tells what holds the memory limit: the guest's engine, and a
	// cgroup where there is one.
	Memory            int64    `json:",omitempty"`
	MemoryBy          []string `json:",omitempty"`
	MemorySwap        int64    `json:",omitempty"`
	MemoryReservation int64    `json:",omitempty"`
	NanoCPUs          int64    `json:"NanoCpus,omitempty"`
	CPUShares         int64    `json:"CpuShares,omitempty"`
	CPUPeriod         int64    `json:"CpuPeriod,omitempty"`
	CPUQuota          int64    `json:"CpuQuota,omitempty"`
	CpusetCpus        string   `json:",omitempty"`
	CpusetMems        string   `json:",omitempty"`
	PidsLimit         int64    `json:",omitempty"`
	BlkioWeight       uint16   `json:",omitempty"`
	Ulimits           []string `json:",omitempty"`
	// Cgroup is the version of the container's cgroup, "v1" or "v2", empty
	// where it has none.
	Cgroup string `json:",omitempty"`
}
