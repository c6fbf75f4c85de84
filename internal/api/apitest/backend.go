// Package apitest is a backend of the API for tests: every method calls a
// function that the test sets. It must hold no behaviour of its own.
package apitest

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"

	"wherry/internal/api"
	"wherry/internal/daemon"
)

var _ api.Backend = (*Backend)(nil)

// Backend answers with what its functions answer; one that isn't set answers
// errdefs.ErrNotImplemented.
type Backend struct {
	ContainerCreateFunc      func(ctx context.Context, o daemon.CreateOptions) (container.CreateResponse, error)
	ContainerStartFunc       func(ctx context.Context, id string) error
	ContainerStopFunc        func(ctx context.Context, id string, o daemon.StopOptions) error
	ContainerRestartFunc     func(ctx context.Context, id string, o daemon.StopOptions) error
	ContainerKillFunc        func(ctx context.Context, id, signal string) error
	ContainerPauseFunc       func(ctx context.Context, id string) error
	ContainerUnpauseFunc     func(ctx context.Context, id string) error
	ContainerRenameFunc      func(ctx context.Context, id, name string) error
	ContainerUpdateFunc      func(ctx context.Context, id string, u container.UpdateConfig) (container.UpdateResponse, error)
	ContainerRemoveFunc      func(ctx context.Context, id string, o daemon.RemoveOptions) error
	ContainerSandboxFunc     func(ctx context.Context, id string) (daemon.Sandbox, error)
	ContainerInspectFunc     func(ctx context.Context, id string, size bool) (container.InspectResponse, error)
	ContainerListFunc        func(ctx context.Context, o daemon.ListOptions) ([]container.Summary, error)
	ContainerTopFunc         func(ctx context.Context, id string, args []string) (container.TopResponse, error)
	ContainerChangesFunc     func(ctx context.Context, id string) ([]container.FilesystemChange, error)
	ContainerExportFunc      func(ctx context.Context, id string, w io.Writer) error
	ContainerStatPathFunc    func(ctx context.Context, id, path string) (container.PathStat, error)
	ContainerArchiveFunc     func(ctx context.Context, id, path string) (io.ReadCloser, container.PathStat, error)
	ContainerExtractFunc     func(ctx context.Context, id, path string, o daemon.ExtractOptions, tar io.Reader) error
	ContainerResizeFunc      func(ctx context.Context, id string, height, width uint32) error
	ContainerStatsFunc       func(ctx context.Context, id string, stream bool, send func(container.StatsResponse) error) error
	ContainerWaitFunc        func(ctx context.Context, id string, c container.WaitCondition) (<-chan container.WaitResponse, error)
	ContainerLogsFunc        func(ctx context.Context, id string, o daemon.LogsOptions, send func(daemon.LogLine) error) error
	ContainerAttachFunc      func(ctx context.Context, id string, o daemon.AttachOptions, ready func() (daemon.Streams, error)) error
	ContainerExecCreateFunc  func(ctx context.Context, id string, r container.ExecCreateRequest) (string, error)
	ContainerExecStartFunc   func(ctx context.Context, id string, size *[2]uint, ready func() (daemon.Streams, error)) error
	ContainerExecInspectFunc func(ctx context.Context, id string) (container.ExecInspectResponse, error)
	ContainerExecResizeFunc  func(ctx context.Context, id string, height, width uint32) error
	ContainersPruneFunc      func(ctx context.Context, filters daemon.Filters) (container.PruneReport, error)
	ImagePullFunc            func(ctx context.Context, ref, platform string, auth *registry.AuthConfig, w io.Writer) error
	ImagePushFunc            func(ctx context.Context, ref, platform string, auth *registry.AuthConfig, w io.Writer) error
	ImageListFunc            func(ctx context.Context, o daemon.ImageListOptions) ([]image.Summary, error)
	ImageSandboxFunc         func(ctx context.Context, ref, platform string) (daemon.Sandbox, error)
	ImageInspectFunc         func(ctx context.Context, ref, platform string, manifests bool) (image.InspectResponse, error)
	ImageHistoryFunc         func(ctx context.Context, ref, platform string) ([]image.HistoryResponseItem, error)
	ImageTagFunc             func(ctx context.Context, ref, target string) error
	ImageRemoveFunc          func(ctx context.Context, ref string, force, noPrune bool) ([]image.DeleteResponse, error)
	ImageLoadFunc            func(ctx context.Context, tar io.Reader, quiet bool, w io.Writer) error
	ImageSaveFunc            func(ctx context.Context, refs []string, platform string, w io.Writer) error
	ImagesPruneFunc          func(ctx context.Context, filters daemon.Filters) (image.PruneReport, error)
	ImageBuildFunc           func(ctx context.Context, o daemon.BuildOptions, tar io.Reader, w io.Writer) error
	BuildPruneFunc           func(ctx context.Context, all bool) (build.CachePruneReport, error)
	VolumeCreateFunc         func(ctx context.Context, r volume.CreateRequest) (volume.Volume, error)
	VolumeListFunc           func(ctx context.Context, filters daemon.Filters) (volume.ListResponse, error)
	VolumeInspectFunc        func(ctx context.Context, name string) (volume.Volume, error)
	VolumeRemoveFunc         func(ctx context.Context, name string, force bool) error
	VolumesPruneFunc         func(ctx context.Context, filters daemon.Filters) (volume.PruneReport, error)
	SystemInfoFunc           func(ctx context.Context) (system.Info, error)
	SystemVersionFunc        func(ctx context.Context) (system.VersionResponse, error)
	SystemDiskUsageFunc      func(ctx context.Context, kinds []system.DiskUsageObject, verbose bool) (system.DiskUsage, error)
	SystemAuthFunc           func(ctx context.Context, auth registry.AuthConfig) (registry.AuthResponse, error)
	EventsFunc               func(ctx context.Context, since, until time.Time, filters daemon.Filters, send func(events.Message) error) error
}

func unset(method string) error {
	return fmt.Errorf("the test set no %sFunc: %w", method, errdefs.ErrNotImplemented)
}
