package store

import (
	"context"
	"fmt"
	"io"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/images/archive"
	"github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/image"
)

// Save writes images to an archive that is an OCI layout and a docker-archive
// at once, as Docker does. Every blob is checked first. platform chooses one
// manifest of each index; "" writes what is here.
func (s *Store) Save(ctx context.Context, names []string, platform string, w io.Writer) error {
	if len(names) == 0 {
		return fmt.Errorf("no image to save was named: %w", errdefs.ErrInvalidArgument)
	}
	ctx, done, err := s.Lease(ctx)
	if err != nil {
		return err
	}
	defer done()
	m, err := image.Matcher(platform)
	if err != nil {
		return err
	}
	opts := []archive.ExportOpt{archive.WithSkipMissing(s.content)}
	indexes := 0
	for _, name := range names {
		rec, named, err := s.record(ctx, name)
		if err != nil {
			return err
		}
		target := rec.Target
		if platform != "" {
			img, err := s.describe(ctx, rec, platform)
			if err != nil {
				return s.inImage(name, err)
			}
			target = ocispec.Descriptor{MediaType: img.ManifestDesc.MediaType, Digest: img.ManifestDesc.Digest, Size: img.ManifestDesc.Size}
		}
		if err := s.verifyPresent(ctx, target); err != nil {
			return s.inImage(name, err)
		}
		if images.IsIndexType(target.MediaType) {
			indexes++
		}
		if named && !isDangling(rec.Name) {
			opts = append(opts, archive.WithManifest(target, rec.Name))
		} else {
			opts = append(opts, archive.WithManifest(target))
		}
	}
	if indexes > 0 && s.allHave(ctx, names) {
		// The docker-archive half can hold one manifest of an index: the one
		// that runs.
		opts = append(opts, archive.WithPlatform(m), archive.WithAllPlatforms())
	}
	if err := archive.Export(ctx, s.content, w, opts...); err != nil {
		return s.explain(fmt.Errorf("can't save: %w", err))
	}
	return nil
}

// allHave reports whether every image has a Wasm manifest.
func (s *Store) allHave(ctx context.Context, names []string) bool {
	for _, name := range names {
		img, err := s.Get(ctx, name, "")
		if err != nil || img.ManifestDesc.Platform != nil && !image.IsWasm(*img.ManifestDesc.Platform) {
			return false
		}
	}
	return true
}

// verifyPresent checks every blob below a target that is in the store. Of an
// index whole manifests may be elsewhere.
func (s *Store) verifyPresent(ctx context.Context, target ocispec.Descriptor) error {
	if images.IsManifestType(target.MediaType) {
		return s.verifyAll(ctx, target)
	}
	idx, err := s.readIndex(ctx, target)
	if err != nil {
		return err
	}
	for _, d := range idx.Manifests {
		if _, err := s.content.Info(ctx, d.Digest); errdefs.IsNotFound(err) {
			continue
		} else if err != nil {
			return err
		}
		if err := s.verifyAll(ctx, d); err != nil {
			return err
		}
	}
	return nil
}
