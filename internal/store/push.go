package store

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/registry"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// PushOptions are a request to send an image to a registry.
type PushOptions struct {
	// Ref is the image's name as users write it, which also says where to.
	Ref string
	// Platform chooses one manifest of an index; "" sends all of it if all of
	// it is here, else the one that runs.
	Platform string
	// Auth are credentials as in PullOptions.
	Auth *registry.AuthConfig
	// Progress is told each step, one call at a time; may be nil.
	Progress func(Event)
}

// Push sends an image to its registry. Every blob is checked before the first
// is sent; the digest in the registry is the one here.
func (s *Store) Push(ctx context.Context, o PushOptions) error {
	n, err := ParseName(o.Ref)
	if err != nil {
		return err
	}
	if _, ok := n.(reference.Digested); ok {
		return fmt.Errorf("cannot push a digest reference: push a tag: %w", errdefs.ErrInvalidArgument)
	}
	ctx, done, err := s.Lease(ctx)
	if err != nil {
		return err
	}
	defer done()
	rec, err := s.images.Get(ctx, n.String())
	if errdefs.IsNotFound(err) {
		return fmt.Errorf("An image does not exist locally with the tag: %s: %w", reference.FamiliarName(n), errdefs.ErrNotFound) //nolint:staticcheck // Docker's words.
	} else if err != nil {
		return err
	}
	r := newReporter(o.Progress)
	r.send(Event{Status: fmt.Sprintf("The push refers to repository [%s]", n.Name())})
	target, partial, err := s.pushTarget(ctx, rec.Target, o.Platform)
	if err != nil {
		return s.inImage(n.String(), err)
	}
	if err := s.verifyAll(ctx, target); err != nil {
		return s.inImage(n.String(), err)
	}
	if err := s.push(ctx, n, target, o.Auth, r); err != nil {
		return s.registryError("push", n, err)
	}
	if partial {
		r.send(Event{Status: "Info -> Not all of the multi-platform image is here, only the single-platform image was pushed"})
	}
	r.send(Event{Status: fmt.Sprintf("%s: digest: %s size: %d", n.(reference.Tagged).Tag(), target.Digest, target.Size)})
	return nil
}

// pushTarget chooses what of a target can be sent.
func (s *Store) pushTarget(ctx context.Context, target ocispec.Descriptor, platform string) (_ ocispec.Descriptor, partial bool, err error) {
	if platform == "" {
		missing := false
		if err := s.walk(ctx, target, func(d ocispec.Descriptor, here bool) error {
			missing = missing || !here
			return nil
		}); err != nil {
			return target, false, err
		}
		if !missing {
			return target, false, nil
		}
		// A blob that is gone from an image is an error, not a choice.
		if images.IsManifestType(target.MediaType) {
			return target, false, nil
		}
	}
	m, err := s.choose(ctx, target, platform)
	return ocispec.Descriptor{MediaType: m.MediaType, Digest: m.Digest, Size: m.Size}, platform == "", err
}

// walk visits a target and all below it once, and tells of each if it is in
// the store.
func (s *Store) walk(ctx context.Context, target ocispec.Descriptor, visit func(d ocispec.Descriptor, here bool) error) error {
	seen := map[digest.Digest]bool{}
	return images.Walk(ctx, images.HandlerFunc(func(ctx context.Context, d ocispec.Descriptor) ([]ocispec.Descriptor, error) {
		if seen[d.Digest] {
			return nil, nil
		}
		seen[d.Digest] = true
		_, err := s.content.Info(ctx, d.Digest)
		if err != nil && !errdefs.IsNotFound(err) {
			return nil, err
		}
		if e := visit(d, err == nil); e != nil || err != nil {
			return nil, e
		}
		if !images.IsIndexType(d.MediaType) && !images.IsManifestType(d.MediaType) {
			return nil, nil
		}
		if _, err := s.readBlob(ctx, d); err != nil {
			return nil, err
		}
		return images.Children(ctx, s.content, d)
	}), target)
}

// verifyAll checks every blob below a target.
func (s *Store) verifyAll(ctx context.Context, target ocispec.Descriptor) error {
	return s.walk(ctx, target, func(d ocispec.Descriptor, here bool) error {
		if !here {
			return lost(d.Digest)
		}
		return s.verify(ctx, d)
	})
}

// push sends a verified target.
func (s *Store) push(ctx context.Context, n reference.Named, target ocispec.Descriptor, auth *registry.AuthConfig, r *reporter) error {
	pusher, err := s.resolver(ctx, reference.Domain(n), auth, r).Pusher(ctx, n.String())
	if err != nil {
		return err
	}
	steps := &pushSteps{r: r, started: map[digest.Digest]bool{}}
	provider := meteredProvider{s.content, steps}
	return remotes.PushContent(ctx, pusher, target, provider, nil, platforms.All, steps.wrap)
}

// pushSteps reports what happens to layers.
type pushSteps struct {
	r *reporter

	mu sync.Mutex
	// started holds the blobs whose content was read, so that the others are
	// known to have been in the registry.
	started map[digest.Digest]bool
}

func isDocument(d ocispec.Descriptor) bool {
	return images.IsManifestType(d.MediaType) || images.IsIndexType(d.MediaType) || images.IsConfigType(d.MediaType)
}

// wrap reports around a handler that sends a blob.
func (p *pushSteps) wrap(h images.Handler) images.Handler {
	return images.HandlerFunc(func(ctx context.Context, d ocispec.Descriptor) ([]ocispec.Descriptor, error) {
		if isDocument(d) {
			return h.Handle(ctx, d)
		}
		p.r.layer(d.Digest, StatusPreparing)
		children, err := h.Handle(ctx, d)
		if err == nil || errors.Is(err, images.ErrStopHandler) {
			p.mu.Lock()
			sent := p.started[d.Digest]
			p.mu.Unlock()
			if sent {
				p.r.layer(d.Digest, StatusPushed)
			} else {
				p.r.layer(d.Digest, StatusPushExists)
			}
		}
		return children, err
	})
}

// meteredProvider reports how much of a layer was read.
type meteredProvider struct {
	content.Store
	p *pushSteps
}

// ReaderAt implements content.Provider.
func (m meteredProvider) ReaderAt(ctx context.Context, d ocispec.Descriptor) (content.ReaderAt, error) {
	ra, err := m.Store.ReaderAt(ctx, d)
	if err != nil || isDocument(d) {
		return ra, err
	}
	m.p.mu.Lock()
	m.p.started[d.Digest] = true
	m.p.mu.Unlock()
	return &meteredAt{ra, &meter{r: m.p.r, id: shortID(d.Digest), status: StatusPushing, total: ra.Size()}}, nil
}

type meteredAt struct {
	content.ReaderAt
	m *meter
}

// ReadAt implements io.ReaderAt.
func (r *meteredAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(p, off)
	r.m.set(off + int64(n))
	return n, err
}
