package apitest

import (
	"context"

	"github.com/moby/moby/api/types/volume"

	"wherry/internal/daemon"
)

// VolumeCreate calls VolumeCreateFunc.
func (b *Backend) VolumeCreate(ctx context.Context, r volume.CreateRequest) (r0 volume.Volume, err error) {
	if b.VolumeCreateFunc == nil {
		return r0, unset("VolumeCreate")
	}
	return b.VolumeCreateFunc(ctx, r)
}

// VolumeList calls VolumeListFunc.
func (b *Backend) VolumeList(ctx context.Context, filters daemon.Filters) (r0 volume.ListResponse, err error) {
	if b.VolumeListFunc == nil {
		return r0, unset("VolumeList")
	}
	return b.VolumeListFunc(ctx, filters)
}

// VolumeInspect calls VolumeInspectFunc.
func (b *Backend) VolumeInspect(ctx context.Context, name string) (r0 volume.Volume, err error) {
	if b.VolumeInspectFunc == nil {
		return r0, unset("VolumeInspect")
	}
	return b.VolumeInspectFunc(ctx, name)
}

// VolumeRemove calls VolumeRemoveFunc.
func (b *Backend) VolumeRemove(ctx context.Context, name string, force bool) error {
	if b.VolumeRemoveFunc == nil {
		return unset("VolumeRemove")
	}
	return b.VolumeRemoveFunc(ctx, name, force)
}

// VolumesPrune calls VolumesPruneFunc.
func (b *Backend) VolumesPrune(ctx context.Context, filters daemon.Filters) (r0 volume.PruneReport, err error) {
	if b.VolumesPruneFunc == nil {
		return r0, unset("VolumesPrune")
	}
	return b.VolumesPruneFunc(ctx, filters)
}
