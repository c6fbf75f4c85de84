// Package record is what the embedded engine remembers of a container: one
// JSON document per container, written so that a crash leaves the old one or
// the new one.
//
// It must not know shims, images or HTTP; it keeps what it is given.
package record

import (
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Container is a container's record.
type Container struct {
	// Version is the record's form; see [Version].
	Version int
	ID      string
	Name    string
	Created time.Time
	Image   Image
	// Path and Args are the program and its arguments after the image's
	// Entrypoint and Cmd were merged with the request's.
	Path       string
	Args       []string
	Config     *container.Config
	HostConfig *container.HostConfig
	Mounts     []Mount
	State      State
	// Ports are the published ports as they are bound, while it runs.
	Ports network.PortMap `json:",omitempty"`
	// RestartCount is how often the restart policy started it again.
	RestartCount int
	// ManuallyStopped holds the restart policy back: someone asked for the
	// end. A start clears it.
	ManuallyStopped bool
	// Started tells that it was started at least once.
	Started bool
	// Removing tells that a removal began; the next start of the engine ends
	// it.
	Removing bool `json:",omitempty"`
}

// Version is the form of record that this program writes and reads.
const Version = 1

// Image is what a container was made from. It is kept by digest: a tag that
// moves later changes nothing for the container.
type Image struct {
	// ID is the image's ID, "sha256:…".
	ID string
	// Name is the reference as the user gave it.
	Name     string
	Platform ocispec.Platform
	// Manifest is the manifest that was chosen for the platform.
	Manifest *ocispec.Descriptor `json:",omitempty"`
	// Tree is the host path of the image's flattened read-only files.
	Tree string
	// Modules are the digests of the Wasm modules in Tree, by their absolute
	// paths there.
	Modules map[string]string `json:",omitempty"`
}

// Mount is a mount as inspect shows it, and what only the engine needs of it.
type Mount struct {
	container.MountPoint
	// Anonymous tells that the volume was made for this container alone.
	Anonymous bool `json:",omitempty"`
	// Subpath is the folder inside the volume that is mounted.
	Subpath string `json:",omitempty"`
	// Size bounds a tmpfs, in bytes; 0 is no bound.
	Size int64 `json:",omitempty"`
	// TmpfsMode are a tmpfs root folder's permission bits; 0 is 1777.
	TmpfsMode uint32 `json:",omitempty"`
}

// State is where a container stands.
type State struct {
	Status    container.ContainerState
	Pid       int
	ExitCode  int
	Error     string
	OOMKilled bool
	// StartedAt and FinishedAt are zero where it did not happen yet.
	StartedAt  time.Time
	FinishedAt time.Time
}

// Running tells whether a process exists, paused or not.
func (s State) Running() bool {
	return s.Status == container.StateRunning || s.Status == container.StatePaused
}

// Live tells whether Docker counts the container as running: there is a
// process, or the restart policy is about to make one.
func (s State) Live() bool {
	return s.Running() || s.Status == container.StateRestarting
}
