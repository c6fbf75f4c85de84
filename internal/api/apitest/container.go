package apitest

import (
	"context"
	"io"

	"github.com/moby/moby/api/types/container"

	"wherry/internal/daemon"
)

// ContainerCreate calls ContainerCreateFunc.
func (b *Backend) ContainerCreate(ctx context.Context, o daemon.CreateOptions) (r0 container.CreateResponse, err error) {
	if b.ContainerCreateFunc == nil {
		return r0, unset("ContainerCreate")
	}
	return b.ContainerCreateFunc(ctx, o)
}

// ContainerStart calls ContainerStartFunc.
func (b *Backend) ContainerStart(ctx context.Context, id string) error {
	if b.ContainerStartFunc == nil {
		return unset("ContainerStart")
	}
	return b.ContainerStartFunc(ctx, id)
}

// ContainerStop calls ContainerStopFunc.
func (b *Backend) ContainerStop(ctx context.Context, id string, o daemon.StopOptions) error {
	if b.ContainerStopFunc == nil {
		return unset("ContainerStop")
	}
	return b.ContainerStopFunc(ctx, id, o)
}

// ContainerRestart calls ContainerRestartFunc.
func (b *Backend) ContainerRestart(ctx context.Context, id string, o daemon.StopOptions) error {
	if b.ContainerRestartFunc == nil {
		return unset("ContainerRestart")
	}
	return b.ContainerRestartFunc(ctx, id, o)
}

// ContainerKill calls ContainerKillFunc.
func (b *Backend) ContainerKill(ctx context.Context, id, signal string) error {
	if b.ContainerKillFunc == nil {
		return unset("ContainerKill")
	}
	return b.ContainerKillFunc(ctx, id, signal)
}

// ContainerPause calls ContainerPauseFunc.
func (b *Backend) ContainerPause(ctx context.Context, id string) error {
	if b.ContainerPauseFunc == nil {
		return unset("ContainerPause")
	}
	return b.ContainerPauseFunc(ctx, id)
}

// ContainerUnpause calls ContainerUnpauseFunc.
func (b *Backend) ContainerUnpause(ctx context.Context, id string) error {
	if b.ContainerUnpauseFunc == nil {
		return unset("ContainerUnpause")
	}
	return b.ContainerUnpauseFunc(ctx, id)
}

// ContainerRename calls ContainerRenameFunc.
func (b *Backend) ContainerRename(ctx context.Context, id, name string) error {
	if b.ContainerRenameFunc == nil {
		return unset("ContainerRename")
	}
	return b.ContainerRenameFunc(ctx, id, name)
}

// ContainerUpdate calls ContainerUpdateFunc.
func (b *Backend) ContainerUpdate(ctx context.Context, id string, u container.UpdateConfig) (r0 container.UpdateResponse, err error) {
	if b.ContainerUpdateFunc == nil {
		return r0, unset("ContainerUpdate")
	}
	return b.ContainerUpdateFunc(ctx, id, u)
}

// ContainerRemove calls ContainerRemoveFunc.
func (b *Backend) ContainerRemove(ctx context.Context, id string, o daemon.RemoveOptions) error {
	if b.ContainerRemoveFunc == nil {
		return unset("ContainerRemove")
	}
	return b.ContainerRemoveFunc(ctx, id, o)
}

// ContainerInspect calls ContainerInspectFunc.
func (b *Backend) ContainerInspect(ctx context.Context, id string, size bool) (r0 container.InspectResponse, err error) {
	if b.ContainerInspectFunc == nil {
		return r0, unset("ContainerInspect")
	}
	return b.ContainerInspectFunc(ctx, id, size)
}

// ContainerSandbox calls ContainerSandboxFunc; without one there is nothing to
// tell.
func (b *Backend) ContainerSandbox(ctx context.Context, id string) (r0 daemon.Sandbox, err error) {
	if b.ContainerSandboxFunc == nil {
		return r0, nil
	}
	return b.ContainerSandboxFunc(ctx, id)
}

// ContainerList calls ContainerListFunc.
func (b *Backend) ContainerList(ctx context.Context, o daemon.ListOptions) (r0 []container.Summary, err error) {
	if b.ContainerListFunc == nil {
		return r0, unset("ContainerList")
	}
	return b.ContainerListFunc(ctx, o)
}

// ContainerTop calls ContainerTopFunc.
func (b *Backend) ContainerTop(ctx context.Context, id string, args []string) (r0 container.TopResponse, err error) {
	if b.ContainerTopFunc == nil {
		return r0, unset("ContainerTop")
	}
	return b.ContainerTopFunc(ctx, id, args)
}

// ContainerChanges calls ContainerChangesFunc.
func (b *Backend) ContainerChanges(ctx context.Context, id string) (r0 []container.FilesystemChange, err error) {
	if b.ContainerChangesFunc == nil {
		return r0, unset("ContainerChanges")
	}
	return b.ContainerChangesFunc(ctx, id)
}

// ContainerExport calls ContainerExportFunc.
func (b *Backend) ContainerExport(ctx context.Context, id string, w io.Writer) error {
	if b.ContainerExportFunc == nil {
		return unset("ContainerExport")
	}
	return b.ContainerExportFunc(ctx, id, w)
}

// ContainerStatPath calls ContainerStatPathFunc.
func (b *Backend) ContainerStatPath(ctx context.Context, id, path string) (r0 container.PathStat, err error) {
	if b.ContainerStatPathFunc == nil {
		return r0, unset("ContainerStatPath")
	}
	return b.ContainerStatPathFunc(ctx, id, path)
}

// ContainerArchive calls ContainerArchiveFunc.
func (b *Backend) ContainerArchive(ctx context.Context, id, path string) (r0 io.ReadCloser, r1 container.PathStat, err error) {
	if b.ContainerArchiveFunc == nil {
		return r0, r1, unset("ContainerArchive")
	}
	return b.ContainerArchiveFunc(ctx, id, path)
}

// ContainerExtract calls ContainerExtractFunc.
func (b *Backend) ContainerExtract(ctx context.Context, id, path string, o daemon.ExtractOptions, tar io.Reader) error {
	if b.ContainerExtractFunc == nil {
		return unset("ContainerExtract")
	}
	return b.ContainerExtractFunc(ctx, id, path, o, tar)
}

// ContainerResize calls ContainerResizeFunc.
func (b *Backend) ContainerResize(ctx context.Context, id string, height, width uint32) error {
	if b.ContainerResizeFunc == nil {
		return unset("ContainerResize")
	}
	return b.ContainerResizeFunc(ctx, id, height, width)
}

// ContainerStats calls ContainerStatsFunc.
func (b *Backend) ContainerStats(ctx context.Context, id string, stream bool, send func(container.StatsResponse) error) error {
	if b.ContainerStatsFunc == nil {
		return unset("ContainerStats")
	}
	return b.ContainerStatsFunc(ctx, id, stream, send)
}

// ContainerWait calls ContainerWaitFunc.
func (b *Backend) ContainerWait(ctx context.Context, id string, c container.WaitCondition) (r0 <-chan container.WaitResponse, err error) {
	if b.ContainerWaitFunc == nil {
		return r0, unset("ContainerWait")
	}
	return b.ContainerWaitFunc(ctx, id, c)
}

// ContainerLogs calls ContainerLogsFunc.
func (b *Backend) ContainerLogs(ctx context.Context, id string, o daemon.LogsOptions, send func(daemon.LogLine) error) error {
	if b.ContainerLogsFunc == nil {
		return unset("ContainerLogs")
	}
	return b.ContainerLogsFunc(ctx, id, o, send)
}

// ContainerAttach calls ContainerAttachFunc.
func (b *Backend) ContainerAttach(ctx context.Context, id string, o daemon.AttachOptions, ready func() (daemon.Streams, error)) error {
	if b.ContainerAttachFunc == nil {
		return unset("ContainerAttach")
	}
	return b.ContainerAttachFunc(ctx, id, o, ready)
}

// ContainersPrune calls ContainersPruneFunc.
func (b *Backend) ContainersPrune(ctx context.Context, filters daemon.Filters) (r0 container.PruneReport, err error) {
	if b.ContainersPruneFunc == nil {
		return r0, unset("ContainersPrune")
	}
	return b.ContainersPruneFunc(ctx, filters)
}
