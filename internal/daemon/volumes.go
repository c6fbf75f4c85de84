//go:build linux

package daemon

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/events"
	apivolume "github.com/moby/moby/api/types/volume"

	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/filter"
	"wherry/internal/daemon/volume"
)

// VolumeCreate makes a volume, or answers the one of that name.
func (d *Daemon) VolumeCreate(_ context.Context, r apivolume.CreateRequest) (apivolume.Volume, error) {
	if r.Driver != "" && r.Driver != "local" {
		return apivolume.Volume{}, fault.NotFound("create %s: error looking up volume plugin %s: plugin %q not found; only \"local\" is built in", r.Name, r.Driver, r.Driver)
	}
	if r.ClusterVolumeSpec != nil {
		return apivolume.Volume{}, fault.Invalid("cluster volumes are of swarm, which is not built")
	}
	v, made, err := d.volumes.Acquire(r.Name, "", r.DriverOpts, r.Labels)
	if errors.Is(err, errNoSpace) {
		err = diskWords("create the volume", err)
	}
	if err != nil {
		return apivolume.Volume{}, err
	}
	if made {
		d.volumeEvent(events.ActionCreate, v.Name, map[string]string{"driver": "local"})
	}
	return volumeOf(v), nil
}

func volumeOf(v volume.Volume) apivolume.Volume {
	return apivolume.Volume{
		Name: v.Name, Driver: "local", Scope: "local", Mountpoint: v.Path,
		CreatedAt: v.CreatedAt.UTC().Format(time.RFC3339), Labels: v.Labels, Options: v.Options,
	}
}

// VolumeList lists the volumes by name. Filters: dangling, driver, label, name.
func (d *Daemon) VolumeList(_ context.Context, f Filters) (apivolume.ListResponse, error) {
	list := apivolume.ListResponse{Volumes: []apivolume.Volume{}, Warnings: []string{}}
	if err := filter.Check(f, "dangling", "driver", "label", "name"); err != nil {
		return list, err
	}
	dangling, err := filter.Bool(f, "dangling", false)
	if err != nil {
		return list, err
	}
	for _, v := range d.volumes.List() {
		switch {
		case len(f["dangling"]) > 0 && dangling != (len(d.volumes.Holders(v.Name)) == 0),
			len(f["driver"]) > 0 && !slices.Contains(f["driver"], "local"),
			!filter.Labels(f["label"], v.Labels),
			len(f["name"]) > 0 && !slices.ContainsFunc(f["name"], func(n string) bool { return strings.Contains(v.Name, n) }):
			continue
		}
		list.Volumes = append(list.Volumes, volumeOf(v))
	}
	return list, nil
}

// VolumeInspect answers a volume.
func (d *Daemon) VolumeInspect(_ context.Context, name string) (apivolume.Volume, error) {
	v, err := d.volumes.Get(name)
	if err != nil {
		return apivolume.Volume{}, err
	}
	return volumeOf(v), nil
}

// VolumeRemove removes a volume that no container uses; forced, a missing one
// is no error.
func (d *Daemon) VolumeRemove(_ context.Context, name string, force bool) error {
	err := d.volumes.Remove(name)
	switch {
	case err == nil:
		d.volumeEvent(events.ActionDestroy, name, map[string]string{"driver": "local"})
		return nil
	case force && errdefs.IsNotFound(err):
		return nil
	default:
		return err
	}
}

// VolumesPrune removes the anonymous volumes that no container uses; with the
// filter all=true those with names too. Filters: all, label, label!.
func (d *Daemon) VolumesPrune(_ context.Context, f Filters) (apivolume.PruneReport, error) {
	report := apivolume.PruneReport{VolumesDeleted: []string{}}
	if err := filter.Check(f, "all", "label", "label!"); err != nil {
		return report, err
	}
	all, err := filter.Bool(f, "all", false)
	if err != nil {
		return report, err
	}
	for _, v := range d.volumes.List() {
		if (!all && !v.Anonymous()) || !filter.Labels(f["label"], v.Labels) || !filter.NoLabels(f["label!"], v.Labels) {
			continue
		}
		if len(d.volumes.Holders(v.Name)) > 0 {
			continue
		}
		size := d.volumes.Size(v)
		if err := d.volumes.Remove(v.Name); err != nil {
			if !errdefs.IsConflict(err) && !errdefs.IsNotFound(err) { // taken or gone meanwhile
				d.log.Warn("a volume is not pruned", "volume", v.Name, "error", err)
			}
			continue
		}
		d.volumeEvent(events.ActionDestroy, v.Name, map[string]string{"driver": "local"})
		report.VolumesDeleted = append(report.VolumesDeleted, v.Name)
		report.SpaceReclaimed += uint64(size)
	}
	d.events.Publish(pruned(events.VolumeEventType, report.SpaceReclaimed))
	return report, nil
}
