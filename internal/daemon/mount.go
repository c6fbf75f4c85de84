//go:build linux

package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/mount"
	"golang.org/x/sys/unix"

	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/mounts"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/volume"
)

var errNoSpace = unix.ENOSPC

// makeMounts resolves what a new container wants mounted: volumes are made and
// held, and filled with what the image has at their place. It answers the
// volumes it made, also with an error.
func (d *Daemon) makeMounts(rec *record.Container) (made []string, err error) {
	wanted, err := mounts.Parse(rec.Config, rec.HostConfig)
	if err != nil {
		return nil, err
	}
	if wanted, err = d.addVolumesFrom(rec, wanted); err != nil {
		return nil, err
	}
	for _, w := range wanted {
		switch w.Type {
		case mount.TypeBind:
			if !w.MustExist {
				break
			}
			if _, err := os.Stat(w.Source); err != nil {
				if errors.Is(err, fs.ErrNotExist) {
					err = fault.Invalid("invalid mount config for type \"bind\": bind source path does not exist: %s", w.Source)
				}
				return made, err
			}
		case mount.TypeVolume:
			v, fresh, err := d.volumes.Acquire(w.Name, rec.ID, w.Options, w.Labels)
			if err != nil {
				return made, err
			}
			if fresh {
				made = append(made, v.Name)
				d.volumeEvent(events.ActionCreate, v.Name, map[string]string{"driver": "local"})
			}
			w.Name, w.Source = v.Name, v.Path
			if !w.NoCopy && w.Subpath == "" && len(v.Options) == 0 {
				if _, err := mounts.Fill(v.Path, rec.Image.Tree, w.Destination); err != nil {
					return made, diskWords("fill volume "+v.Name, err)
				}
			}
		}
		rec.Mounts = append(rec.Mounts, w.Mount)
	}
	return made, nil
}

// addVolumesFrom adds the mounts of other containers where nothing else was
// asked for.
func (d *Daemon) addVolumesFrom(rec *record.Container, wanted []mounts.Wanted) ([]mounts.Wanted, error) {
	at := map[string]int{}
	for i, w := range wanted {
		at[w.Destination] = i
	}
	for _, s := range rec.HostConfig.VolumesFrom {
		ref, rw, err := mounts.From(s)
		if err != nil {
			return nil, err
		}
		other, err := d.find(ref)
		if err != nil {
			return nil, err
		}
		for _, m := range other.snapshot().Mounts {
			i, taken := at[m.Destination]
			if m.Type == mount.TypeTmpfs || (taken && !wanted[i].Anonymous) {
				continue
			}
			m.RW = m.RW && rw
			m.Anonymous = false // it is the other's to remove
			w := mounts.Wanted{Mount: m, NoCopy: true}
			if taken {
				wanted[i] = w
				continue
			}
			at[m.Destination] = len(wanted)
			wanted = append(wanted, w)
		}
	}
	return wanted, nil
}

// dropVolumes removes volumes that were made for a container that came to
// nothing.
func (d *Daemon) dropVolumes(holder string, names []string) error {
	d.volumes.Release(holder)
	var err error
	for _, n := range names {
		if e := d.volumes.Remove(n); e != nil {
			err = errors.Join(err, e)
			continue
		}
		d.volumeEvent(events.ActionDestroy, n, map[string]string{"driver": "local"})
	}
	return err
}

// sources answers the host paths of a container's mounts, and makes the
// missing ones of -v. mounted is for the volumes' events.
func (d *Daemon) sources(rec record.Container) (map[string]string, error) {
	paths := map[string]string{}
	for _, m := range rec.Mounts {
		switch m.Type {
		case mount.TypeBind:
			if err := mounts.Prepare(m.Source, d.mustExist(rec, m)); err != nil {
				return nil, fault.Invalid("invalid mount config for type \"bind\": %w", err)
			}
			paths[m.Destination] = m.Source
		case mount.TypeVolume:
			v, err := d.volumes.Get(m.Name)
			if err != nil {
				return nil, err
			}
			path, err := subpath(v, m.Subpath)
			if err != nil {
				return nil, err
			}
			paths[m.Destination] = path
		}
	}
	return paths, nil
}

// mustExist tells whether a bind came from --mount without
// bind-create-src.
func (d *Daemon) mustExist(rec record.Container, m record.Mount) bool {
	for _, o := range rec.HostConfig.Mounts {
		if o.Type == mount.TypeBind && filepath.Clean(o.Target) == m.Destination {
			return o.BindOptions == nil || !o.BindOptions.CreateMountpoint
		}
	}
	return false
}

// subpath is a folder inside a volume, with no link on the way out of it.
func subpath(v volume.Volume, sub string) (string, error) {
	if sub == "" {
		return v.Path, nil
	}
	root, err := os.OpenRoot(v.Path)
	if err != nil {
		return "", err
	}
	defer root.Close()
	if _, err := root.Stat(sub); err != nil {
		return "", fault.NotFound("volume %s has no %s to mount: %w", v.Name, sub, err)
	}
	real, err := filepath.EvalSymlinks(filepath.Join(v.Path, sub))
	if err != nil {
		return "", fmt.Errorf("volume %s: %w", v.Name, err)
	}
	return real, nil
}
