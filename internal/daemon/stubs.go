package daemon

import (
	"context"
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
)

type Daemon struct{ cfg Config }

func New(ctx context.Context, cfg Config) (*Daemon, error) { return &Daemon{cfg: cfg}, nil }
func (d *Daemon) Close() error                             { return nil }

func (d *Daemon) ContainerCreate(ctx context.Context, o CreateOptions) (res container.CreateResponse, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerStart(ctx context.Context, id string) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerStop(ctx context.Context, id string, o StopOptions) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerRestart(ctx context.Context, id string, o StopOptions) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerKill(ctx context.Context, id, signal string) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerPause(ctx context.Context, id string) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerUnpause(ctx context.Context, id string) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerRename(ctx context.Context, id, name string) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerUpdate(ctx context.Context, id string, u container.UpdateConfig) (res container.UpdateResponse, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerRemove(ctx context.Context, id string, o RemoveOptions) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerInspect(ctx context.Context, id string, size bool) (res container.InspectResponse, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerList(ctx context.Context, o ListOptions) (res []container.Summary, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerTop(ctx context.Context, id string, args []string) (res container.TopResponse, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerChanges(ctx context.Context, id string) (res []container.FilesystemChange, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerExport(ctx context.Context, id string, w io.Writer) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerStatPath(ctx context.Context, id, path string) (res container.PathStat, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerArchive(ctx context.Context, id, path string) (res io.ReadCloser, st container.PathStat, err error) {
	return res, st, errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerExtract(ctx context.Context, id, path string, o ExtractOptions, tar io.Reader) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerResize(ctx context.Context, id string, height, width uint32) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerStats(ctx context.Context, id string, stream bool, send func(container.StatsResponse) error) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerWait(ctx context.Context, id string, c container.WaitCondition) (res <-chan container.WaitResponse, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerLogs(ctx context.Context, id string, o LogsOptions, send func(LogLine) error) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ContainerAttach(ctx context.Context, id string, o AttachOptions, ready func() (Streams, error)) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ContainersPrune(ctx context.Context, filters Filters) (res container.PruneReport, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) ImagePull(ctx context.Context, ref, platform string, auth *registry.AuthConfig, w io.Writer) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ImagePush(ctx context.Context, ref, platform string, auth *registry.AuthConfig, w io.Writer) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ImageList(ctx context.Context, o ImageListOptions) (res []image.Summary, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) ImageInspect(ctx context.Context, ref, platform string, manifests bool) (res image.InspectResponse, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) ImageHistory(ctx context.Context, ref, platform string) (res []image.HistoryResponseItem, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) ImageTag(ctx context.Context, ref, target string) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ImageRemove(ctx context.Context, ref string, force, noPrune bool) (res []image.DeleteResponse, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) ImageLoad(ctx context.Context, tar io.Reader, quiet bool, w io.Writer) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ImageSave(ctx context.Context, refs []string, platform string, w io.Writer) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) ImagesPrune(ctx context.Context, filters Filters) (res image.PruneReport, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) ImageBuild(ctx context.Context, o BuildOptions, tar io.Reader, w io.Writer) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) BuildPrune(ctx context.Context, all bool) (res build.CachePruneReport, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) VolumeCreate(ctx context.Context, r volume.CreateRequest) (res volume.Volume, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) VolumeList(ctx context.Context, filters Filters) (res volume.ListResponse, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) VolumeInspect(ctx context.Context, name string) (res volume.Volume, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) VolumeRemove(ctx context.Context, name string, force bool) error {
	return errdefs.ErrNotImplemented
}
func (d *Daemon) VolumesPrune(ctx context.Context, filters Filters) (res volume.PruneReport, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) SystemInfo(ctx context.Context) (res system.Info, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) SystemVersion(ctx context.Context) (res system.VersionResponse, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) SystemDiskUsage(ctx context.Context, kinds []system.DiskUsageObject, verbose bool) (res system.DiskUsage, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) SystemAuth(ctx context.Context, auth registry.AuthConfig) (res registry.AuthResponse, err error) {
	return res, errdefs.ErrNotImplemented
}
func (d *Daemon) Events(ctx context.Context, since, until time.Time, filters Filters, send func(events.Message) error) error {
	return errdefs.ErrNotImplemented
}
