package apitest

import (
	"context"
	"io"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/registry"

	"wherry/internal/daemon"
)

// ImagePull calls ImagePullFunc.
func (b *Backend) ImagePull(ctx context.Context, ref, platform string, auth *registry.AuthConfig, w io.Writer) error {
	if b.ImagePullFunc == nil {
		return unset("ImagePull")
	}
	return b.ImagePullFunc(ctx, ref, platform, auth, w)
}

// ImagePush calls ImagePushFunc.
func (b *Backend) ImagePush(ctx context.Context, ref, platform string, auth *registry.AuthConfig, w io.Writer) error {
	if b.ImagePushFunc == nil {
		return unset("ImagePush")
	}
	return b.ImagePushFunc(ctx, ref, platform, auth, w)
}

// ImageList calls ImageListFunc.
func (b *Backend) ImageList(ctx context.Context, o daemon.ImageListOptions) (r0 []image.Summary, err error) {
	if b.ImageListFunc == nil {
		return r0, unset("ImageList")
	}
	return b.ImageListFunc(ctx, o)
}

// ImageSandbox calls ImageSandboxFunc; without one there is nothing to tell.
func (b *Backend) ImageSandbox(ctx context.Context, ref, platform string) (r0 daemon.Sandbox, err error) {
	if b.ImageSandboxFunc == nil {
		return r0, nil
	}
	return b.ImageSandboxFunc(ctx, ref, platform)
}

// ImageInspect calls ImageInspectFunc.
func (b *Backend) ImageInspect(ctx context.Context, ref, platform string, manifests bool) (r0 image.InspectResponse, err error) {
	if b.ImageInspectFunc == nil {
		return r0, unset("ImageInspect")
	}
	return b.ImageInspectFunc(ctx, ref, platform, manifests)
}

// ImageHistory calls ImageHistoryFunc.
func (b *Backend) ImageHistory(ctx context.Context, ref, platform string) (r0 []image.HistoryResponseItem, err error) {
	if b.ImageHistoryFunc == nil {
		return r0, unset("ImageHistory")
	}
	return b.ImageHistoryFunc(ctx, ref, platform)
}

// ImageTag calls ImageTagFunc.
func (b *Backend) ImageTag(ctx context.Context, ref, target string) error {
	if b.ImageTagFunc == nil {
		return unset("ImageTag")
	}
	return b.ImageTagFunc(ctx, ref, target)
}

// ImageRemove calls ImageRemoveFunc.
func (b *Backend) ImageRemove(ctx context.Context, ref string, force, noPrune bool) (r0 []image.DeleteResponse, err error) {
	if b.ImageRemoveFunc == nil {
		return r0, unset("ImageRemove")
	}
	return b.ImageRemoveFunc(ctx, ref, force, noPrune)
}

// ImageLoad calls ImageLoadFunc.
func (b *Backend) ImageLoad(ctx context.Context, tar io.Reader, quiet bool, w io.Writer) error {
	if b.ImageLoadFunc == nil {
		return unset("ImageLoad")
	}
	return b.ImageLoadFunc(ctx, tar, quiet, w)
}

// ImageSave calls ImageSaveFunc.
func (b *Backend) ImageSave(ctx context.Context, refs []string, platform string, w io.Writer) error {
	if b.ImageSaveFunc == nil {
		return unset("ImageSave")
	}
	return b.ImageSaveFunc(ctx, refs, platform, w)
}

// ImagesPrune calls ImagesPruneFunc.
func (b *Backend) ImagesPrune(ctx context.Context, filters daemon.Filters) (r0 image.PruneReport, err error) {
	if b.ImagesPruneFunc == nil {
		return r0, unset("ImagesPrune")
	}
	return b.ImagesPruneFunc(ctx, filters)
}

// ImageBuild calls ImageBuildFunc.
func (b *Backend) ImageBuild(ctx context.Context, o daemon.BuildOptions, tar io.Reader, w io.Writer) error {
	if b.ImageBuildFunc == nil {
		return unset("ImageBuild")
	}
	return b.ImageBuildFunc(ctx, o, tar, w)
}

// BuildPrune calls BuildPruneFunc.
func (b *Backend) BuildPrune(ctx context.Context, all bool) (r0 build.CachePruneReport, err error) {
	if b.BuildPruneFunc == nil {
		return r0, unset("BuildPrune")
	}
	return b.BuildPruneFunc(ctx, all)
}
