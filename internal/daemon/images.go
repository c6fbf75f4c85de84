//go:build linux

package daemon

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/registry"

	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/filter"
	"wherry/internal/daemon/record"
	"wherry/internal/store"
)

// progress writes a store's steps as JSON lines of Docker's form. A client that
// left is noticed by its context, not here.
func progress(w io.Writer) func(store.Event) {
	enc := json.NewEncoder(w)
	return func(e store.Event) {
		m := jsonstream.Message{ID: e.ID, Status: e.Status}
		if e.Total > 0 || e.Current > 0 {
			m.Progress = &jsonstream.Progress{Current: e.Current, Total: e.Total}
		}
		_ = enc.Encode(m)
	}
}

// ImagePull fetches an image from its registry.
func (d *Daemon) ImagePull(ctx context.Context, ref, platform string, auth *registry.AuthConfig, w io.Writer) error {
	img, err := d.store.Pull(ctx, store.PullOptions{Ref: ref, Platform: platform, Auth: auth, Progress: progress(w)})
	if err != nil {
		return err
	}
	d.imageEvent(events.ActionPull, familiar(img, ref), familiar(img, ref))
	return nil
}

// familiar is an image's name as users write it.
func familiar(img store.Image, otherwise string) string {
	if n, err := reference.ParseNormalizedNamed(img.Name); err == nil {
		return reference.FamiliarString(n)
	}
	return otherwise
}

// ImagePush sends an image to its registry.
func (d *Daemon) ImagePush(ctx context.Context, ref, platform string, auth *registry.AuthConfig, w io.Writer) error {
	if err := d.store.Push(ctx, store.PushOptions{Ref: ref, Platform: platform, Auth: auth, Progress: progress(w)}); err != nil {
		return err
	}
	d.imageEvent(events.ActionPush, ref, ref)
	return nil
}

// ImageTag gives an image another name.
func (d *Daemon) ImageTag(ctx context.Context, ref, target string) error {
	if err := d.store.Tag(ctx, ref, target); err != nil {
		return err
	}
	if img, err := d.store.Get(ctx, target, ""); err == nil {
		d.imageEvent(events.ActionTag, img.ID.String(), familiar(img, target))
	}
	return nil
}

// ImageHistory lists how an image came to be.
func (d *Daemon) ImageHistory(ctx context.Context, ref, platform string) ([]image.HistoryResponseItem, error) {
	return d.store.History(ctx, ref, platform)
}

// ImageLoad reads images from an archive.
func (d *Daemon) ImageLoad(ctx context.Context, tar io.Reader, quiet bool, w io.Writer) error {
	enc := json.NewEncoder(w)
	names, err := d.store.Load(ctx, tar, quiet, func(e store.Event) {
		// What was loaded is a line of output; only steps are progress.
		_ = enc.Encode(jsonstream.Message{Stream: e.Status + "\n"})
	})
	for _, n := range names {
		if img, err := d.store.Get(ctx, n, ""); err == nil {
			d.imageEvent(events.ActionLoad, img.ID.String(), n)
		}
	}
	return err
}

// ImageSave writes images to an archive.
func (d *Daemon) ImageSave(ctx context.Context, refs []string, platform string, w io.Writer) error {
	if err := d.store.Save(ctx, refs, platform, w); err != nil {
		return err
	}
	for _, n := range refs {
		if img, err := d.store.Get(ctx, n, ""); err == nil {
			d.imageEvent(events.ActionSave, img.ID.String(), n)
		}
	}
	return nil
}

// ImageRemove takes a name off an image, and removes an image with its last
// name. While containers use it the answer is errdefs.ErrConflict, in Docker's
// words; forced, only running ones prevent it.
func (d *Daemon) ImageRemove(ctx context.Context, ref string, force, noPrune bool) ([]image.DeleteResponse, error) {
	img, err := d.store.Get(ctx, ref, "")
	if err == nil && d.losesImage(img, ref) {
		if err := d.inUse(img, ref, force); err != nil {
			return nil, err
		}
	} else if err != nil && errdefs.IsNotFound(err) {
		return nil, err
	}
	// Another error: an image that is damaged, or of another platform, can be
	// removed all the same.
	res, err := d.store.Remove(ctx, ref, force, noPrune)
	for _, r := range res {
		switch {
		case r.Untagged != "":
			d.imageEvent(events.ActionUnTag, img.ID.String(), r.Untagged)
		case r.Deleted != "":
			d.imageEvent(events.ActionDelete, r.Deleted, r.Deleted)
		}
	}
	return res, err
}

// losesImage tells whether removing ref removes the image, not just one of its
// names.
func (d *Daemon) losesImage(img store.Image, ref string) bool {
	if len(img.Names) <= 1 {
		return true
	}
	hex := strings.TrimPrefix(ref, "sha256:")
	return strings.HasPrefix(img.ID.Encoded(), hex)
}

func (d *Daemon) inUse(img store.Image, ref string, force bool) error {
	for _, rec := range d.usersOf(img.ID.String()) {
		switch {
		case rec.State.Live():
			return fault.Conflict("conflict: unable to delete %s (cannot be forced) - container %s is using its referenced image %s",
				ref, rec.ID[:12], img.ID.Encoded()[:12])
		case !force:
			return fault.Conflict("conflict: unable to delete %s (must be forced) - container %s is using its referenced image %s",
				ref, rec.ID[:12], img.ID.Encoded()[:12])
		}
	}
	return nil
}

// usersOf lists the containers of an image.
func (d *Daemon) usersOf(id string) []record.Container {
	var users []record.Container
	for _, c := range d.all() {
		if rec := c.snapshot(); rec.Image.ID == id {
			users = append(users, rec)
		}
	}
	return users
}

// ImagesPrune removes images without a name that no container uses; with the
// filter dangling=false all that no container uses. Filters: dangling, until,
// label, label!.
func (d *Daemon) ImagesPrune(ctx context.Context, f Filters) (image.PruneReport, error) {
	var report image.PruneReport
	if err := filter.Check(f, "dangling", "until", "label", "label!"); err != nil {
		return report, err
	}
	dangling, err := filter.Bool(f, "dangling", true)
	if err != nil {
		return report, err
	}
	until, err := filter.Until(f, time.Now())
	if err != nil {
		return report, err
	}
	report, err = d.store.Prune(ctx, store.PruneOptions{All: !dangling, Keep: func(img store.Image) bool {
		labels := img.Config.Config.Labels
		return (!until.IsZero() && !img.Created.Before(until)) ||
			!filter.Labels(f["label"], labels) || !filter.NoLabels(f["label!"], labels) || len(d.usersOf(img.ID.String())) > 0
	}})
	for _, r := range report.ImagesDeleted {
		if r.Deleted != "" {
			d.imageEvent(events.ActionDelete, r.Deleted, r.Deleted)
		}
	}
	if report.ImagesDeleted == nil {
		report.ImagesDeleted = []image.DeleteResponse{}
	}
	d.events.Publish(pruned(events.ImageEventType, report.SpaceReclaimed))
	return report, err
}

// BuildPrune answers an empty report: the builder keeps no cache, since a build
// is nothing but copying.
func (d *Daemon) BuildPrune(context.Context, bool) (build.CachePruneReport, error) {
	return build.CachePruneReport{CachesDeleted: []string{}}, nil
}

// SystemAuth checks credentials with their registry.
func (d *Daemon) SystemAuth(ctx context.Context, auth registry.AuthConfig) (registry.AuthResponse, error) {
	if err := d.store.Login(ctx, auth); err != nil {
		return registry.AuthResponse{}, err
	}
	return registry.AuthResponse{Status: "Login Succeeded"}, nil
}

// ImageList lists the images, the newest first. Filters: before, dangling,
// label, label!, reference, since, until.
func (d *Daemon) ImageList(ctx context.Context, o ImageListOptions) ([]image.Summary, error) {
	keep, err := d.imageFilter(ctx, o.Filters)
	if err != nil {
		return nil, err
	}
	usage := map[string]store.ImageUsage{}
	if o.SharedSize {
		u, err := d.store.DiskUsage(ctx)
		if err != nil {
			return nil, err
		}
		for _, i := range u.Images {
			usage[i.Image.ID.String()] = i
		}
	}
	all, err := d.store.List(ctx)
	if err != nil {
		return nil, err
	}
	list := []image.Summary{}
	for _, img := range all {
		if !keep(img) {
			continue
		}
		s := d.imageSummary(img, o.Manifests)
		if o.SharedSize {
			s.SharedSize = usage[s.ID].Shared
		}
		list = append(list, s)
	}
	slices.SortStableFunc(list, func(a, b image.Summary) int { return int(min(max(b.Created-a.Created, -1), 1)) })
	return list, nil
}

func (d *Daemon) imageSummary(img store.Image, manifests bool) image.Summary {
	target := img.Target
	s := image.Summary{
		ID: img.ID.String(), RepoTags: nonNil(img.Names), RepoDigests: nonNil(img.RepoDigests),
		Size: img.Size, SharedSize: -1, Containers: int64(len(d.usersOf(img.ID.String()))),
		Labels: img.Config.Config.Labels, Descriptor: &target,
	}
	if !img.Created.IsZero() {
		s.Created = img.Created.Unix()
	}
	if s.Labels == nil {
		s.Labels = map[string]string{}
	}
	if manifests && img.Broken == nil {
		s.Manifests = []image.ManifestSummary{d.manifestSummary(img)}
	}
	return s
}

// manifestSummary is the manifest that runs; those of other platforms are not
// fetched.
func (d *Daemon) manifestSummary(img store.Image) image.ManifestSummary {
	m := image.ManifestSummary{
		ID: img.ManifestDesc.Digest.String(), Descriptor: img.ManifestDesc, Available: true, Kind: image.ManifestKindImage,
		ImageData: &image.ImageProperties{Platform: img.Platform, Containers: []string{}},
	}
	m.Size.Content, m.Size.Total = img.Size, img.Size
	for _, rec := range d.usersOf(img.ID.String()) {
		m.ImageData.Containers = append(m.ImageData.Containers, rec.ID)
	}
	return m
}

// ImageInspect answers all that is known of an image.
func (d *Daemon) ImageInspect(ctx context.Context, ref, platform string, manifests bool) (image.InspectResponse, error) {
	img, err := d.store.Get(ctx, ref, platform)
	if err != nil {
		return image.InspectResponse{}, err
	}
	full, err := dockerConfig(ctx, d.store.Content(), img)
	if err != nil {
		return image.InspectResponse{}, err
	}
	target := img.Target
	r := image.InspectResponse{
		ID: img.ID.String(), RepoTags: nonNil(img.Names), RepoDigests: nonNil(img.RepoDigests),
		Author: img.Config.Author, Config: &full.Config,
		Architecture: img.Platform.Architecture, Variant: img.Platform.Variant, Os: img.Platform.OS, OsVersion: img.Platform.OSVersion,
		Size: img.Size, Descriptor: &target, RootFS: image.RootFS{Type: "layers"},
		Metadata: image.Metadata{LastTagTime: img.Tagged},
	}
	if !img.Created.IsZero() {
		r.Created = img.Created.UTC().Format(time.RFC3339Nano)
	}
	if h := img.Config.History; len(h) > 0 {
		r.Comment = h[len(h)-1].Comment
	}
	for _, id := range img.Config.RootFS.DiffIDs {
		r.RootFS.Layers = append(r.RootFS.Layers, id.String())
	}
	if manifests {
		r.Manifests = []image.ManifestSummary{d.manifestSummary(img)}
	}
	return r, nil
}
