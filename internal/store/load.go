package store

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/images/archive"
	"github.com/containerd/containerd/v2/pkg/archive/compression"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Load reads images from an archive as `docker save`, buildx, skopeo or Save
// write it: docker-archive or OCI layout, plain or compressed. It answers the
// names as users write them, or IDs of images without one. progress is told
// what was loaded, also where quiet.
func (s *Store) Load(ctx context.Context, r io.Reader, quiet bool, progress func(Event)) ([]string, error) {
	ctx, done, err := s.Lease(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	// compression may start an unpigz program where the machine has one; its
	// input is the same either way.
	plain, err := compression.DecompressStream(&ctxReader{ctx, r})
	if err != nil {
		return nil, fmt.Errorf("the archive can't be read: %v: %w", err, errdefs.ErrInvalidArgument)
	}
	defer plain.Close()
	index, err := archive.ImportIndex(ctx, s.content, plain)
	if err != nil {
		if ctx.Err() != nil || isNoSpace(err) {
			return nil, s.explain(err)
		}
		return nil, fmt.Errorf("this is not an image archive (docker-archive or OCI layout): %v: %w", err, errdefs.ErrInvalidArgument)
	}
	idx, err := s.readIndex(ctx, index)
	if err != nil {
		return nil, err
	}
	rep := newReporter(progress)
	var names []string
	for _, d := range idx.Manifests {
		if isAttestation(d) {
			continue
		}
		name, err := s.loadOne(ctx, d)
		if err != nil {
			return names, err
		}
		names = append(names, name)
		if strings.HasPrefix(name, "sha256:") {
			rep.send(Event{Status: "Loaded image ID: " + name})
		} else {
			rep.send(Event{Status: "Loaded image: " + name})
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("the archive holds no image: %w", errdefs.ErrInvalidArgument)
	}
	return names, nil
}

// loadOne names what an archive's index lists.
func (s *Store) loadOne(ctx context.Context, d ocispec.Descriptor) (string, error) {
	full, shown := danglingName(d.Digest), d.Digest.String()
	if n := archiveName(d); n != nil {
		full, shown = n.String(), reference.FamiliarString(n)
	}
	if err := d.Digest.Validate(); err != nil {
		return "", fmt.Errorf("the archive's index has no digest for %s: %w", shown, errdefs.ErrInvalidArgument)
	}
	if err := s.linkContent(ctx, d); err != nil {
		if errdefs.IsDataLoss(err) {
			err = fmt.Errorf("the archive is not complete: %v: %w", err, errdefs.ErrInvalidArgument)
		}
		return "", s.inImage(shown, err)
	}
	if err := s.setName(ctx, full, d); err != nil {
		return "", s.explain(err)
	}
	// An image that Wherry can't make sense of is told now, not at its start.
	if _, err := s.describe(ctx, images.Image{Name: full, Target: d}, ""); err != nil {
		return "", s.inImage(shown, err)
	}
	return shown, nil
}

// archiveName is the name that an archive gives to an image. containerd and
// Docker annotate the complete one; OCI's own annotation may be a bare tag,
// which says nothing here.
func archiveName(d ocispec.Descriptor) reference.Named {
	name := d.Annotations[images.AnnotationImageName]
	if name == "" {
		if name = d.Annotations[ocispec.AnnotationRefName]; !strings.ContainsAny(name, "/:") {
			return nil
		}
	}
	n, err := ParseName(name)
	if err != nil {
		return nil
	}
	return n
}
