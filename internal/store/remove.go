package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	imagetypes "github.com/moby/moby/api/types/image"
	digest "github.com/opencontainers/go-digest"
)

// Remove takes a name away from an image, and removes the image with its last
// name. Given an ID it takes all names away; that wants force where they are
// of several repositories. Containers that still use it are the caller's to
// look for; what a Hold keeps stays. noPrune is accepted for Docker's sake:
// images have no parents here.
func (s *Store) Remove(ctx context.Context, ref string, force, noPrune bool) ([]imagetypes.DeleteResponse, error) {
	_ = noPrune
	ctx = s.context(ctx)
	out, err := s.unname(ctx, ref, force)
	if err != nil {
		return nil, s.explain(err)
	}
	return out, s.Collect(ctx)
}

// unname deletes records.
func (s *Store) unname(ctx context.Context, ref string, force bool) ([]imagetypes.DeleteResponse, error) {
	s.names.Lock()
	defer s.names.Unlock()
	rec, named, err := s.record(ctx, ref)
	if err != nil {
		return nil, err
	}
	same, err := s.sameTarget(ctx, rec.Target.Digest)
	if err != nil {
		return nil, err
	}
	doomed := same
	if named {
		doomed = []images.Image{rec}
	} else if n := repositories(same); n > 1 && !force {
		return nil, fmt.Errorf("conflict: unable to delete %s (must be forced) - image is referenced in multiple repositories: %w",
			shortID(rec.Target.Digest), errdefs.ErrConflict)
	}
	var out []imagetypes.DeleteResponse
	for _, d := range doomed {
		if err := s.images.Delete(ctx, d.Name); err != nil && !errdefs.IsNotFound(err) {
			return out, err
		}
		if !isDangling(d.Name) {
			out = append(out, imagetypes.DeleteResponse{Untagged: familiar(d.Name)})
		}
	}
	if len(doomed) == len(same) {
		out = append(out, imagetypes.DeleteResponse{Deleted: rec.Target.Digest.String()})
	}
	return out, nil
}

// repositories counts the repositories that names are of.
func repositories(recs []images.Image) int {
	var repos []string
	for _, rec := range recs {
		n, err := reference.ParseNormalizedNamed(rec.Name)
		if err == nil && !isDangling(rec.Name) && !slices.Contains(repos, n.Name()) {
			repos = append(repos, n.Name())
		}
	}
	return len(repos)
}

// PruneOptions choose images to prune.
type PruneOptions struct {
	// All removes every image that nothing holds; without it only those
	// without a name.
	All bool
	// Keep tells of an image that it must stay, such as by a filter; may be
	// nil.
	Keep func(Image) bool
}

// Prune removes images that nothing holds, what cut downloads left, and all
// content that nothing refers to. The report counts what was freed in bytes.
func (s *Store) Prune(ctx context.Context, o PruneOptions) (imagetypes.PruneReport, error) {
	ctx = s.context(ctx)
	var report imagetypes.PruneReport
	before, err := s.diskSize(ctx)
	if err != nil {
		return report, err
	}
	list, err := s.List(ctx)
	if err != nil {
		return report, err
	}
	held, err := s.heldTargets(ctx)
	if err != nil {
		return report, err
	}
	for _, img := range list {
		if len(img.RepoDigests) > 0 && !o.All || held[img.ID] || o.Keep != nil && o.Keep(img) {
			continue
		}
		gone, err := s.unname(ctx, img.ID.String(), true)
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return report, s.explain(err)
		}
		report.ImagesDeleted = append(report.ImagesDeleted, gone...)
	}
	s.dropIdlePulls(ctx, func(leases.Lease) bool { return true })
	if err := s.Collect(ctx); err != nil {
		return report, err
	}
	after, err := s.diskSize(ctx)
	if err == nil && after < before {
		report.SpaceReclaimed = uint64(before - after)
	}
	return report, err
}

// heldTargets are the targets that holds keep.
func (s *Store) heldTargets(ctx context.Context) (map[digest.Digest]bool, error) {
	held := map[digest.Digest]bool{}
	ls, err := s.leases.List(ctx, fmt.Sprintf("labels.%q", labelTree))
	if err != nil {
		return nil, err
	}
	for _, l := range ls {
		rs, err := s.leases.ListResources(ctx, l)
		if err != nil && !errdefs.IsNotFound(err) {
			return nil, err
		}
		for _, r := range rs {
			if strings.HasPrefix(r.ID, "sha256:") {
				held[digest.Digest(r.ID)] = true
			}
		}
	}
	return held, nil
}
