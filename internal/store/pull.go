package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/registry"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"wherry/internal/image"
)

// PullOptions are a request to fetch an image.
type PullOptions struct {
	// Ref is the image's name as users write it.
	Ref string
	// Platform is the wanted platform, or "" for Wasm under any name.
	Platform string
	// Auth are credentials for the registry of Ref; nil or zero asks the Docker
	// configuration of this process's user.
	Auth *registry.AuthConfig
	// Progress is told each step, one call at a time; may be nil.
	Progress func(Event)
}

// maxLayers bounds an image's layers together, in bytes: they could not be
// unpacked either.
const maxLayers = 32 << 30

// parallelLayers is how many layers are fetched at once, as in Docker.
const parallelLayers = 3

// Pull fetches an image and names it. What was fetched before a failure is
// kept for a day, and the next Pull goes on from there.
func (s *Store) Pull(ctx context.Context, o PullOptions) (Image, error) {
	n, err := ParseName(o.Ref)
	if err != nil {
		return Image{}, err
	}
	if _, err := image.Matcher(o.Platform); err != nil {
		return Image{}, err
	}
	r := newReporter(o.Progress)
	ctx, lease, err := s.lease(ctx, map[string]string{labelPull: n.String()})
	if err != nil {
		return Image{}, err
	}
	p := &puller{s: s, r: r, name: n, platform: o.Platform}
	target, err := p.fetch(ctx, s.resolver(ctx, reference.Domain(n), o.Auth, r))
	if err != nil {
		// The lease stays: it keeps what was fetched until it expires. On a full
		// disk the room is worth more.
		s.busy.Delete(lease.ID)
		if isNoSpace(err) {
			s.endPull(ctx, n.String(), lease)
			err = errors.Join(err, s.Collect(context.WithoutCancel(ctx)))
		}
		return Image{}, s.registryError("pull", n, err)
	}
	defer s.endPull(ctx, n.String(), lease)
	if err := s.linkContent(ctx, target); err != nil {
		return Image{}, s.inImage(n.String(), err)
	}
	old, err := s.images.Get(ctx, n.String())
	fresh := err != nil || old.Target.Digest != target.Digest
	if err := s.setName(ctx, n.String(), target); err != nil {
		return Image{}, s.explain(err)
	}
	img, err := s.describe(ctx, images.Image{Name: n.String(), Target: target}, o.Platform)
	if err != nil {
		return Image{}, s.inImage(n.String(), err)
	}
	r.send(Event{Status: "Digest: " + target.Digest.String()})
	if fresh {
		r.send(Event{Status: "Status: Downloaded newer image for " + reference.FamiliarString(n)})
	} else {
		r.send(Event{Status: "Status: Image is up to date for " + reference.FamiliarString(n)})
	}
	return img, nil
}

// endPull ends a pull's lease, and those that failed pulls of the same name
// left.
func (s *Store) endPull(ctx context.Context, name string, own leases.Lease) {
	ctx = context.WithoutCancel(ctx)
	s.endLease(ctx, own)
	s.dropIdlePulls(ctx, func(l leases.Lease) bool { return l.Labels[labelPull] == name })
}

// dropIdlePulls deletes leases of pulls that are not under way. What fails
// expires.
func (s *Store) dropIdlePulls(ctx context.Context, which func(leases.Lease) bool) {
	ls, err := s.leases.List(ctx, fmt.Sprintf("labels.%q", labelPull))
	if err != nil {
		return
	}
	for _, l := range ls {
		if _, busy := s.busy.Load(l.ID); !busy && which(l) {
			_ = s.leases.Delete(ctx, l)
		}
	}
}

// puller is one pull.
type puller struct {
	s        *Store
	r        *reporter
	name     reference.Named
	platform string
	fetcher  remotes.Fetcher
}

// fetch gets everything that the wanted platform's image needs, and answers
// what the name refers to.
func (p *puller) fetch(ctx context.Context, resolver remotes.Resolver) (ocispec.Descriptor, error) {
	name, target, err := resolver.Resolve(ctx, p.name.String())
	if err != nil {
		return target, err
	}
	tag := "latest"
	if t, ok := p.name.(reference.Tagged); ok {
		tag = t.Tag()
	} else if d, ok := p.name.(reference.Digested); ok {
		tag = d.Digest().String()
	}
	p.r.send(Event{ID: tag, Status: "Pulling from " + reference.Path(p.name)})
	if p.fetcher, err = resolver.Fetcher(ctx, name); err != nil {
		return target, err
	}
	m, err := image.Matcher(p.platform)
	if err != nil {
		return target, err
	}
	desc := target
	var attested []ocispec.Descriptor
	for depth := 0; images.IsIndexType(desc.MediaType); depth++ {
		if depth == maxNesting {
			return target, fmt.Errorf("indexes lie more than %d deep in one another: %w", maxNesting, errdefs.ErrInvalidArgument)
		}
		if err := p.blob(ctx, desc, false); err != nil {
			return target, err
		}
		idx, err := p.s.readIndex(ctx, desc)
		if err != nil {
			return target, err
		}
		list := candidates(idx, m)
		if len(list) == 0 {
			return target, fmt.Errorf("image %s %w", reference.FamiliarString(p.name), wrongPlatform(idx, p.platform))
		}
		desc = list[0]
		attested = attestations(idx, desc.Digest)
	}
	if !images.IsManifestType(desc.MediaType) {
		return target, fmt.Errorf("%s is of type %q, which is no image: %w", reference.FamiliarString(p.name), desc.MediaType, errdefs.ErrInvalidArgument)
	}
	if err := p.image(ctx, desc, desc.Digest == target.Digest); err != nil {
		return target, err
	}
	// What buildx attests of the image comes along: with it a push elsewhere
	// keeps the digest.
	for _, a := range attested {
		if err := p.attestation(ctx, a); err != nil {
			return target, err
		}
	}
	return target, nil
}

// attestations are an index's entries about one of its manifests.
func attestations(idx ocispec.Index, d digest.Digest) []ocispec.Descriptor {
	var out []ocispec.Descriptor
	for _, m := range idx.Manifests {
		if m.Annotations["vnd.docker.reference.digest"] == d.String() && images.IsManifestType(m.MediaType) {
			out = append(out, m)
		}
	}
	return out
}

// image fetches a manifest, its configuration and its layers. single tells
// that no index chose it.
func (p *puller) image(ctx context.Context, desc ocispec.Descriptor, single bool) error {
	if err := p.blob(ctx, desc, false); err != nil {
		return err
	}
	b, err := p.s.readBlob(ctx, desc)
	if err != nil {
		return err
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("manifest %s is not JSON: %v: %w", desc.Digest, err, errdefs.ErrInvalidArgument)
	}
	if err := p.blob(ctx, m.Config, false); err != nil {
		return err
	}
	// Formats that can't run are refused before their layers are fetched.
	m, f, err := p.s.readManifest(ctx, desc)
	if err != nil {
		return err
	}
	if single {
		img := Image{Target: desc, ManifestDesc: desc, Platform: f.Config.Platform}
		if err := accept(img, p.platform); err != nil {
			return fmt.Errorf("image %s: %w", reference.FamiliarString(p.name), err)
		}
	}
	var size int64
	for _, l := range m.Layers {
		if size += l.Size; l.Size < 0 || size > maxLayers {
			return fmt.Errorf("its layers have more than the %d bytes that Wherry takes: %w", int64(maxLayers), errdefs.ErrInvalidArgument)
		}
	}
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(parallelLayers)
	seen := map[digest.Digest]bool{}
	for _, l := range m.Layers {
		p.r.layer(l.Digest, StatusPulling)
	}
	for _, l := range m.Layers {
		if seen[l.Digest] {
			continue
		}
		seen[l.Digest] = true
		eg.Go(func() error { return p.blob(ctx, l, true) })
	}
	return eg.Wait()
}

// maxAttestation bounds what is fetched of an attestation, in bytes a blob.
const maxAttestation = 64 << 20

// attestation fetches a statement about an image.
func (p *puller) attestation(ctx context.Context, desc ocispec.Descriptor) error {
	if err := p.blob(ctx, desc, false); err != nil {
		return err
	}
	children, err := images.Children(ctx, p.s.content, desc)
	if err != nil {
		return err
	}
	for _, c := range children {
		if c.Size > maxAttestation {
			return fmt.Errorf("an attestation has %d bytes, more than the %d that Wherry takes: %w", c.Size, maxAttestation, errdefs.ErrInvalidArgument)
		}
		if err := p.blob(ctx, c, false); err != nil {
			return err
		}
	}
	return nil
}

// tries is how often a blob's download is begun or continued.
const tries = 5

// blob fetches a blob, unless it is there and whole. Two pulls of one blob
// share the download.
func (p *puller) blob(ctx context.Context, desc ocispec.Descriptor, show bool) error {
	if err := desc.Digest.Validate(); err != nil {
		return fmt.Errorf("%q is not a digest: %w", desc.Digest, errdefs.ErrInvalidArgument)
	}
	r := p.r
	if !show {
		r = nil
	}
	defer p.s.making.lock(desc.Digest.String())()
	wait := p.s.retryWait
	for try := 1; ; try++ {
		err := p.download(ctx, desc, r)
		switch {
		case err == nil:
			r.layer(desc.Digest, StatusPulled)
			return nil
		case errdefs.IsAlreadyExists(err):
			if err := p.s.verify(ctx, desc); err == nil {
				r.layer(desc.Digest, StatusExists)
				return nil
			} else if !errdefs.IsDataLoss(err) {
				return err
			}
			// The registry has the cure.
			if err := p.s.discard(ctx, desc.Digest); err != nil {
				return err
			}
		case errors.Is(err, errWrongContent):
			// A half-done download may have been damaged; a second time the
			// fault is the registry's.
			if try > 1 {
				return err
			}
		case !transient(err):
			return err
		}
		if try == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
			wait *= 2
		}
	}
}

// errWrongContent tells that a finished download has another digest.
var errWrongContent = fmt.Errorf("the registry sent content that does not match its digest: %w", errdefs.ErrDataLoss)

// download begins or continues one download.
func (p *puller) download(ctx context.Context, desc ocispec.Descriptor, r *reporter) (err error) {
	ref := "pull-" + desc.Digest.String()
	w, err := content.OpenWriter(ctx, p.s.content, content.WithRef(ref), content.WithDescriptor(desc))
	if err != nil {
		return err
	}
	defer func() {
		if e := w.Close(); err == nil {
			err = e
		}
		if errors.Is(err, errWrongContent) {
			err = errors.Join(err, p.s.content.Abort(ctx, ref))
		}
	}()
	status, err := w.Status()
	if err != nil {
		return err
	}
	m := &meter{r: r, id: shortID(desc.Digest), status: StatusDownloading, total: desc.Size}
	if status.Offset < desc.Size || desc.Size == 0 {
		rc, err := p.fetcher.Fetch(ctx, desc)
		if err != nil {
			return err
		}
		defer rc.Close()
		mr := &meteredReader{ReadCloser: rc, m: m}
		if status.Offset > 0 {
			if _, err := mr.Seek(status.Offset, io.SeekStart); err != nil {
				if !errors.Is(err, errNoSeek) {
					return err
				}
				if _, err := io.CopyN(io.Discard, mr, status.Offset); err != nil {
					return err
				}
			}
		}
		// One byte more than announced is read, so that a longer blob shows.
		limit := desc.Size - status.Offset + 1
		copied, err := io.Copy(w, io.LimitReader(mr, limit))
		if err != nil {
			return err
		}
		if status.Offset+copied < desc.Size {
			return fmt.Errorf("%d of %d bytes: %w", status.Offset+copied, desc.Size, io.ErrUnexpectedEOF)
		}
	}
	r.layer(desc.Digest, StatusDownloaded)
	err = w.Commit(ctx, desc.Size, desc.Digest)
	if errdefs.IsFailedPrecondition(err) || errdefs.IsInvalidArgument(err) {
		return fmt.Errorf("%w (%v)", errWrongContent, err)
	}
	if errdefs.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// discard takes a corrupt blob out of the store.
func (s *Store) discard(ctx context.Context, d digest.Digest) error {
	if err := s.content.Delete(ctx, d); err != nil && !errdefs.IsNotFound(err) {
		return err
	}
	if err := s.blobs.Delete(ctx, d); err != nil && !errdefs.IsNotFound(err) {
		return err
	}
	return nil
}

// transient reports whether trying again may help: the connection broke, or
// the server was not well.
func transient(err error) bool {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), isNoSpace(err),
		errdefs.IsNotFound(err), errors.Is(err, docker.ErrInvalidAuthorization), errdefs.IsInvalidArgument(err):
		return false
	case errors.Is(err, io.ErrUnexpectedEOF), errdefs.IsUnavailable(err):
		return true
	}
	return isNetwork(err)
}
