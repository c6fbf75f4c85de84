package mounts

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/record"
)

// parseMount reads --mount's form.
func parseMount(m mount.Mount) (Wanted, error) {
	invalid := func(format string, args ...any) (Wanted, error) {
		return Wanted{}, fault.Invalid("invalid mount config for type %q: "+format, append([]any{m.Type}, args...)...)
	}
	if m.Target == "" {
		return invalid("field Target must not be empty")
	}
	switch {
	case m.BindOptions != nil && m.Type != mount.TypeBind:
		return invalid("field BindOptions must not be specified")
	case m.VolumeOptions != nil && m.Type != mount.TypeVolume:
		return invalid("field VolumeOptions must not be specified")
	case m.TmpfsOptions != nil && m.Type != mount.TypeTmpfs:
		return invalid("field TmpfsOptions must not be specified")
	}
	switch m.Type {
	case mount.TypeBind:
		if !filepath.IsAbs(m.Source) {
			return invalid("invalid mount path: '%s' mount path must be absolute", m.Source)
		}
		w := Wanted{MustExist: true}
		w.Mount = record.Mount{MountPoint: container.MountPoint{
			Type: mount.TypeBind, Source: filepath.Clean(m.Source), Destination: m.Target, RW: !m.ReadOnly, Propagation: mount.PropagationRPrivate,
		}}
		if o := m.BindOptions; o != nil {
			if o.Propagation != "" {
				w.Propagation = o.Propagation
			}
			w.MustExist = !o.CreateMountpoint
			if o.ReadOnlyForceRecursive && !m.ReadOnly {
				return invalid("bind-recursive=readonly needs readonly")
			}
		}
		return w, nil
	case mount.TypeVolume:
		w := Wanted{Mount: volumeMount(m.Source, m.Target, !m.ReadOnly)}
		w.Anonymous = m.Source == ""
		if o := m.VolumeOptions; o != nil {
			w.NoCopy, w.Labels = o.NoCopy, o.Labels
			if o.Subpath != "" && (!filepath.IsLocal(o.Subpath) || m.Source == "") {
				return invalid("volume-subpath=%q must be a relative path inside a named volume", o.Subpath)
			}
			w.Subpath = o.Subpath
			if d := o.DriverConfig; d != nil {
				if d.Name != "" && d.Name != "local" {
					return invalid("volume driver %q is not there: only \"local\" is built in", d.Name)
				}
				w.Options = d.Options
			}
		}
		return w, nil
	case mount.TypeTmpfs:
		if m.Source != "" {
			return invalid("field Source must not be specified")
		}
		w := Wanted{Mount: tmpfs(m.Target, !m.ReadOnly)}
		if o := m.TmpfsOptions; o != nil {
			w.Size, w.TmpfsMode = o.SizeBytes, uint32(o.Mode.Perm())
			if len(o.Options) > 0 {
				return invalid("tmpfs options %v are not known: there are tmpfs-size and tmpfs-mode", o.Options)
			}
			if o.SizeBytes < 0 {
				return invalid("tmpfs-size must not be negative, found %d", o.SizeBytes)
			}
		}
		return w, nil
	default:
		return Wanted{}, fault.Invalid("mount type %q is not built: there are bind, volume and tmpfs", m.Type)
	}
}

func tmpfs(dest string, rw bool) record.Mount {
	return record.Mount{MountPoint: container.MountPoint{Type: mount.TypeTmpfs, Destination: dest, RW: rw}}
}

// parseTmpfs reads --tmpfs DESTINATION[:OPTIONS].
func parseTmpfs(dest, options string) (Wanted, error) {
	w := Wanted{Mount: tmpfs(dest, true)}
	w.Mode = options
	for o := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(o, "=")
		switch key {
		case "", "rw", "noexec", "exec", "nosuid", "suid", "nodev", "dev", "sync", "async", "relatime", "noatime", "uid", "gid":
			// A guest executes no files and reaches no devices, and WASI has
			// no users.
		case "ro":
			w.RW = false
		case "size":
			n, err := units.RAMInBytes(value)
			if err != nil || n < 0 {
				return Wanted{}, fault.Invalid("invalid tmpfs option %q: want a size such as 64m", o)
			}
			w.Size = n
		case "mode":
			n, err := strconv.ParseUint(value, 8, 12)
			if err != nil {
				return Wanted{}, fault.Invalid("invalid tmpfs option %q: want octal permission bits such as 1777", o)
			}
			w.TmpfsMode = uint32(n)
		default:
			return Wanted{}, fault.Invalid("invalid tmpfs option %q: known are size, mode, ro, rw and the flags of mount(8)", o)
		}
	}
	return w, nil
}

// From reads --volumes-from's form, CONTAINER[:ro|rw].
func From(spec string) (ref string, rw bool, err error) {
	ref, mode, _ := strings.Cut(spec, ":")
	switch mode {
	case "", "rw", "z", "Z":
		rw = true
	case "ro":
	default:
		return "", false, fault.Invalid("invalid mode for volumes-from: %s", mode)
	}
	if ref == "" {
		return "", false, fault.Invalid("malformed volumes-from specification: '%s'", spec)
	}
	return ref, rw, nil
}
