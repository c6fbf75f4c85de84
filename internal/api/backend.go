package api

import (
	"context"
	"io"
	"time"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"

	"wherry/internal/daemon"
)

// ContainerBackend is what the container routes need of the daemon. Every
// method takes a full ID, an unambiguous prefix of one, or a name, and answers
// errdefs.ErrNotFound where nothing matches.
type ContainerBackend interface {
	ContainerCreate(ctx context.Context, o daemon.CreateOptions) (container.CreateResponse, error)
	ContainerStart(ctx context.Context, id string) error
	ContainerStop(ctx context.Context, id string, o daemon.StopOptions) error
	ContainerRestart(ctx context.Context, id string, o daemon.StopOptions) error
	ContainerKill(ctx context.Context, id, signal string) error
	ContainerPause(ctx context.Context, id string) error
	ContainerUnpause(ctx context.Context, id string) error
	ContainerRename(ctx context.Context, id, name string) error
	ContainerUpdate(ctx context.Context, id string, u container.UpdateConfig) (container.UpdateResponse, error)
	ContainerRemove(ctx context.Context, id string, o daemon.RemoveOptions) error
	ContainerInspect(ctx context.Context, id string, size bool) (container.InspectResponse, error)
	// ContainerSandbox is what inspect shows beside Docker's own.
	ContainerSandbox(ctx context.Context, id string) (daemon.Sandbox, error)
	ContainerList(ctx context.Context, o daemon.ListOptions) ([]container.Summary, error)
	ContainerTop(ctx context.Context, id string, args []string) (container.TopResponse, error)
	ContainerChanges(ctx context.Context, id string) ([]container.FilesystemChange, error)
	ContainerExport(ctx context.Context, id string, w io.Writer) error
	ContainerStatPath(ctx context.Context, id, path string) (container.PathStat, error)
	ContainerArchive(ctx context.Context, id, path string) (io.ReadCloser, container.PathStat, error)
	ContainerExtract(ctx context.Context, id, path string, o daemon.ExtractOptions, tar io.Reader) error
	ContainerResize(ctx context.Context, id string, height, width uint32) error
	// ContainerStats sends one sample, or one a second until ctx ends.
	ContainerStats(ctx context.Context, id string, stream bool, send func(container.StatsResponse) error) error
	// ContainerWait answers once the wait is registered; the channel then gives
	// one response.
	ContainerWait(ctx context.Context, id string, c container.WaitCondition) (<-chan container.WaitResponse, error)
	// ContainerLogs sends lines in order until the end, or until ctx ends with
	// Follow.
	ContainerLogs(ctx context.Context, id string, o daemon.LogsOptions, send func(daemon.LogLine) error) error
	// ContainerAttach registers the streams, calls ready, and returns when the
	// output ended or the client left. Before start it waits for the start.
	ContainerAttach(ctx context.Context, id string, o daemon.AttachOptions, ready func() (daemon.Streams, error)) error
	// ContainerExecCreate answers the id of an exec that can be started once.
	ContainerExecCreate(ctx context.Context, id string, r container.ExecCreateRequest) (string, error)
	// ContainerExecStart runs it. With ready it calls that before, and returns
	// when the program ended or the client left; else when the program runs. The
	// size is that of its terminal, rows first, nil where it is not known.
	ContainerExecStart(ctx context.Context, id string, size *[2]uint, ready func() (daemon.Streams, error)) error
	ContainerExecInspect(ctx context.Context, id string) (container.ExecInspectResponse, error)
	ContainerExecResize(ctx context.Context, id string, height, width uint32) error
	ContainersPrune(ctx context.Context, filters daemon.Filters) (container.PruneReport, error)
}

// ImageBackend is what the image routes need of the daemon. Progress goes to w
// as JSON lines (moby api/types/jsonstream).
type ImageBackend interface {
	ImagePull(ctx context.Context, ref, platform string, auth *registry.AuthConfig, w io.Writer) error
	ImagePush(ctx context.Context, ref, platform string, auth *registry.AuthConfig, w io.Writer) error
	ImageList(ctx context.Context, o daemon.ImageListOptions) ([]image.Summary, error)
	ImageInspect(ctx context.Context, ref, platform string, manifests bool) (image.InspectResponse, error)
	// ImageSandbox is what inspect shows beside Docker's own.
	ImageSandbox(ctx context.Context, ref, platform string) (daemon.Sandbox, error)
	ImageHistory(ctx context.Context, ref, platform string) ([]image.HistoryResponseItem, error)
	ImageTag(ctx context.Context, ref, target string) error
	ImageRemove(ctx context.Context, ref string, force, noPrune bool) ([]image.DeleteResponse, error)
	ImageLoad(ctx context.Context, tar io.Reader, quiet bool, w io.Writer) error
	ImageSave(ctx context.Context, refs []string, platform string, w io.Writer) error
	ImagesPrune(ctx context.Context, filters daemon.Filters) (image.PruneReport, error)
	ImageBuild(ctx context.Context, o daemon.BuildOptions, tar io.Reader, w io.Writer) error
	BuildPrune(ctx context.Context, all bool) (build.CachePruneReport, error)
}

// VolumeBackend is what the volume routes need of the daemon.
type VolumeBackend interface {
	VolumeCreate(ctx context.Context, r volume.CreateRequest) (volume.Volume, error)
	VolumeList(ctx context.Context, filters daemon.Filters) (volume.ListResponse, error)
	VolumeInspect(ctx context.Context, name string) (volume.Volume, error)
	VolumeRemove(ctx context.Context, name string, force bool) error
	VolumesPrune(ctx context.Context, filters daemon.Filters) (volume.PruneReport, error)
}

// SystemBackend is what the system routes need of the daemon.
type SystemBackend interface {
	SystemInfo(ctx context.Context) (system.Info, error)
	SystemVersion(ctx context.Context) (system.VersionResponse, error)
	SystemDiskUsage(ctx context.Context, kinds []system.DiskUsageObject, verbose bool) (system.DiskUsage, error)
	SystemAuth(ctx context.Context, auth registry.AuthConfig) (registry.AuthResponse, error)
	// Events sends what happened since (zero: from now), then what happens,
	// until ctx ends or until passes.
	Events(ctx context.Context, since, until time.Time, filters daemon.Filters, send func(events.Message) error) error
}
