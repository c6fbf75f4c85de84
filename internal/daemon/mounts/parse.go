// Package mounts turns the many ways in which Docker's API asks for mounts
// into one list, and fills new volumes with what the image has at their place.
//
// It must not know the containers or the volumes there are: it names volumes,
// and others make them.
package mounts

import (
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/record"
)

// Wanted is a mount as it was asked for. For volumes Source is not yet known.
type Wanted struct {
	record.Mount
	// NoCopy leaves a new volume empty.
	NoCopy bool
	// MustExist refuses a bind whose source is not there (--mount, unlike -v).
	MustExist bool
	// Options and Labels are those of a volume that may have to be made.
	Options, Labels map[string]string
}

// Parse lists what the request and the image want mounted, by destination.
// Two mounts at one place, a bad path or an unknown option are
// errdefs.ErrInvalidArgument.
func Parse(c *container.Config, h *container.HostConfig) ([]Wanted, error) {
	var all []Wanted
	taken := map[string]bool{}
	add := func(w Wanted) error {
		dest := path.Clean(w.Destination)
		if !path.IsAbs(w.Destination) {
			return fault.Invalid("invalid mount path: '%s' mount path must be absolute", w.Destination)
		}
		if dest == "/" {
			return fault.Invalid("invalid specification: destination can't be '/'")
		}
		if taken[dest] {
			return fault.Invalid("Duplicate mount point: %s", dest)
		}
		taken[dest] = true
		w.Destination = dest
		all = append(all, w)
		return nil
	}
	for _, b := range h.Binds {
		w, err := parseBind(b)
		if err != nil {
			return nil, err
		}
		if err := add(w); err != nil {
			return nil, err
		}
	}
	for _, m := range h.Mounts {
		w, err := parseMount(m)
		if err != nil {
			return nil, err
		}
		if err := add(w); err != nil {
			return nil, err
		}
	}
	for _, dest := range slices.Sorted(maps.Keys(h.Tmpfs)) {
		w, err := parseTmpfs(dest, h.Tmpfs[dest])
		if err != nil {
			return nil, err
		}
		if err := add(w); err != nil {
			return nil, err
		}
	}
	// The image's and -v /path volumes give way to what was asked for by name.
	for _, dest := range slices.Sorted(maps.Keys(c.Volumes)) {
		if taken[path.Clean(dest)] {
			continue
		}
		w := Wanted{Mount: volumeMount("", dest, true)}
		w.Anonymous = true
		if err := add(w); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func volumeMount(name, dest string, rw bool) record.Mount {
	return record.Mount{MountPoint: container.MountPoint{
		Type: mount.TypeVolume, Name: name, Destination: dest, Driver: "local", Mode: "z", RW: rw,
	}}
}

// parseBind reads -v's form: SOURCE:DESTINATION[:OPTIONS], or DESTINATION.
func parseBind(spec string) (Wanted, error) {
	parts := strings.Split(spec, ":")
	var source, dest, mode string
	switch len(parts) {
	case 1:
		dest = parts[0]
	case 2:
		source, dest = parts[0], parts[1]
	case 3:
		source, dest, mode = parts[0], parts[1], parts[2]
	default:
		return Wanted{}, fault.Invalid("invalid volume specification: '%s': want SOURCE:DESTINATION[:OPTIONS]", spec)
	}
	if dest == "" || (len(parts) > 1 && source == "") {
		return Wanted{}, fault.Invalid("invalid volume specification: '%s': want SOURCE:DESTINATION[:OPTIONS]", spec)
	}
	w := Wanted{}
	if filepath.IsAbs(source) {
		w.Mount = record.Mount{MountPoint: container.MountPoint{
			Type: mount.TypeBind, Source: filepath.Clean(source), Destination: dest, RW: true, Propagation: mount.PropagationRPrivate,
		}}
	} else {
		w.Mount = volumeMount(source, dest, true)
		w.Anonymous = source == ""
	}
	if mode != "" || w.Type == mount.TypeBind {
		w.Mode = mode
	}
	return w, bindOptions(&w, spec, mode)
}

func bindOptions(w *Wanted, spec, mode string) error {
	for o := range strings.SplitSeq(mode, ",") {
		switch o {
		case "", "rw", "z", "Z", "cached", "delegated", "consistent":
			// Labels concern SELinux's rules about a container's processes;
			// the others a virtual machine's shared folders.
		case "ro":
			w.RW = false
		case "nocopy":
			if w.Type != mount.TypeVolume {
				return fault.Invalid("invalid volume specification: '%s': nocopy is of volumes, not of host folders", spec)
			}
			w.NoCopy = true
		case "private", "rprivate", "slave", "rslave", "shared", "rshared":
			if w.Type != mount.TypeBind {
				return fault.Invalid("invalid volume specification: '%s': %s is of host folders, not of volumes", spec, o)
			}
			w.Propagation = mount.Propagation(o)
		default:
			return fault.Invalid("invalid mode: %s", mode)
		}
	}
	return nil
}
