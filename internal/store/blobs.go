package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/image"
)

// maxDocument bounds manifests, indexes and configurations, in bytes.
// Registries bound manifests to 4 MiB.
const maxDocument = 8 << 20

// corrupt tells that a blob is not what its digest says, and the cure.
func corrupt(d digest.Digest, what string) error {
	return fmt.Errorf("blob %s in the store is corrupt (%s): pull or load the image again: %w", d, what, errdefs.ErrDataLoss)
}

// lost tells that a blob is not there, and the cure.
func lost(d digest.Digest) error {
	return fmt.Errorf("blob %s is missing from the store: pull or load the image again: %w", d, errdefs.ErrDataLoss)
}

// open opens a blob.
func (s *Store) open(ctx context.Context, desc ocispec.Descriptor) (content.ReaderAt, error) {
	ra, err := s.content.ReaderAt(ctx, desc)
	if errdefs.IsNotFound(err) {
		return nil, lost(desc.Digest)
	}
	if err != nil {
		return nil, err
	}
	if desc.Size > 0 && ra.Size() != desc.Size {
		ra.Close()
		return nil, corrupt(desc.Digest, fmt.Sprintf("%d bytes, not %d", ra.Size(), desc.Size))
	}
	return ra, nil
}

// readBlob reads a JSON document and checks it against its digest.
func (s *Store) readBlob(ctx context.Context, desc ocispec.Descriptor) ([]byte, error) {
	if err := desc.Digest.Validate(); err != nil {
		return nil, fmt.Errorf("%q is not a digest: %w", desc.Digest, errdefs.ErrInvalidArgument)
	}
	if desc.Size > maxDocument {
		return nil, fmt.Errorf("document %s has %d bytes, more than the %d that Wherry takes: %w", desc.Digest, desc.Size, maxDocument, errdefs.ErrInvalidArgument)
	}
	ra, err := s.open(ctx, desc)
	if err != nil {
		return nil, err
	}
	defer ra.Close()
	if ra.Size() > maxDocument {
		return nil, fmt.Errorf("document %s has %d bytes, more than the %d that Wherry takes: %w", desc.Digest, ra.Size(), maxDocument, errdefs.ErrInvalidArgument)
	}
	b := make([]byte, ra.Size())
	if n, err := ra.ReadAt(b, 0); n < len(b) && err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("can't read blob %s: %w", desc.Digest, err)
	}
	if got := desc.Digest.Algorithm().FromBytes(b); got != desc.Digest {
		return nil, corrupt(desc.Digest, "its content has the digest "+got.String())
	}
	return b, nil
}

// verify checks a whole blob against its digest.
func (s *Store) verify(ctx context.Context, desc ocispec.Descriptor) error {
	ra, err := s.open(ctx, desc)
	if err != nil {
		return err
	}
	defer ra.Close()
	v := desc.Digest.Verifier()
	if _, err := io.Copy(v, &ctxReader{ctx, io.NewSectionReader(ra, 0, ra.Size())}); err != nil {
		return fmt.Errorf("can't read blob %s: %w", desc.Digest, err)
	}
	if !v.Verified() {
		return corrupt(desc.Digest, "its content has another digest")
	}
	return nil
}

// ctxReader stops reading when its context ends.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// readIndex reads an index.
func (s *Store) readIndex(ctx context.Context, desc ocispec.Descriptor) (idx ocispec.Index, err error) {
	b, err := s.readBlob(ctx, desc)
	if err != nil {
		return idx, err
	}
	if err := json.Unmarshal(b, &idx); err != nil {
		return idx, fmt.Errorf("index %s is not JSON: %v: %w", desc.Digest, err, errdefs.ErrInvalidArgument)
	}
	return idx, nil
}

// maxNesting is how deep indexes may lie in one another.
const maxNesting = 4

// choose finds the manifest of a target for a platform. Without a wanted
// platform it prefers Wasm, then whatever is there.
func (s *Store) choose(ctx context.Context, target ocispec.Descriptor, platform string) (ocispec.Descriptor, error) {
	m, err := image.Matcher(platform)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	for range maxNesting {
		if !images.IsIndexType(target.MediaType) {
			return target, nil
		}
		idx, err := s.readIndex(ctx, target)
		if err != nil {
			return target, err
		}
		next, ok := s.chooseIn(ctx, idx, m, platform == "")
		if !ok {
			return target, wrongPlatform(idx, platform)
		}
		target = next
	}
	return target, fmt.Errorf("indexes lie more than %d deep in one another: %w", maxNesting, errdefs.ErrInvalidArgument)
}

// chooseIn picks an index's best manifest, those present in the store before
// the others; any that is present if lenient.
func (s *Store) chooseIn(ctx context.Context, idx ocispec.Index, m platforms.MatchComparer, lenient bool) (ocispec.Descriptor, bool) {
	list := candidates(idx, m)
	if lenient {
		list = append(list, runnable(idx)...)
	}
	for _, d := range list {
		if _, err := s.content.Info(ctx, d.Digest); err == nil {
			return d, true
		}
	}
	if matching := candidates(idx, m); len(matching) > 0 {
		return matching[0], true
	}
	return ocispec.Descriptor{}, false
}

// candidates are an index's manifests for a platform, the best first. An
// entry without a platform is taken for a match if there is no other.
func candidates(idx ocispec.Index, m platforms.MatchComparer) []ocispec.Descriptor {
	var out, bare []ocispec.Descriptor
	for _, d := range runnable(idx) {
		if d.Platform == nil {
			bare = append(bare, d)
		} else if m.Match(*d.Platform) {
			out = append(out, d)
		}
	}
	if len(out) == 0 {
		return bare
	}
	sort.SliceStable(out, func(a, b int) bool { return m.Less(*out[a].Platform, *out[b].Platform) })
	return out
}

// runnable are an index's entries that may be images: no attestations, no
// signatures.
func runnable(idx ocispec.Index) []ocispec.Descriptor {
	var out []ocispec.Descriptor
	for _, d := range idx.Manifests {
		if isAttestation(d) || !images.IsManifestType(d.MediaType) && !images.IsIndexType(d.MediaType) {
			continue
		}
		out = append(out, d)
	}
	return out
}

// isAttestation recognises what buildx puts beside an image.
func isAttestation(d ocispec.Descriptor) bool {
	return d.Annotations["vnd.docker.reference.type"] != "" ||
		d.Platform != nil && d.Platform.OS == "unknown" && d.Platform.Architecture == "unknown"
}

// wrongPlatform words that an index has not what is wanted.
func wrongPlatform(idx ocispec.Index, platform string) error {
	var found []string
	for _, d := range runnable(idx) {
		if d.Platform != nil {
			found = append(found, platforms.Format(*d.Platform))
		}
	}
	list := "no platforms"
	if len(found) > 0 {
		list = strings.Join(found, ", ")
	}
	if p, err := image.Parse(platform); platform != "" && err == nil && !image.IsWasm(p) {
		return fmt.Errorf("has no platform %s (found %s): %w", platform, list, errdefs.ErrInvalidArgument)
	}
	return fmt.Errorf("has no wasm platform (found %s); Wherry runs wasi/wasm images: %w", list, errdefs.ErrInvalidArgument)
}

// linkContent labels content with what it refers to, so that the collector
// keeps it, and checks that one image of it is complete.
func (s *Store) linkContent(ctx context.Context, target ocispec.Descriptor) error {
	complete := 0
	var walk func(desc ocispec.Descriptor, depth int) error
	walk = func(desc ocispec.Descriptor, depth int) error {
		if depth > maxNesting {
			return fmt.Errorf("indexes lie more than %d deep in one another: %w", maxNesting, errdefs.ErrInvalidArgument)
		}
		// Both kinds of document are read with the same checks; what refers to
		// nothing needs no label.
		if !images.IsIndexType(desc.MediaType) && !images.IsManifestType(desc.MediaType) {
			return nil
		}
		if _, err := s.readBlob(ctx, desc); err != nil {
			return err
		}
		children, err := images.Children(ctx, s.content, desc)
		if err != nil {
			// The bytes are there and the right ones: what they say is at fault.
			return fmt.Errorf("%s %s: %v: %w", desc.MediaType, desc.Digest, err, errdefs.ErrInvalidArgument)
		}
		known := images.HandlerFunc(func(context.Context, ocispec.Descriptor) ([]ocispec.Descriptor, error) { return children, nil })
		if _, err := images.SetChildrenLabels(s.content, known)(ctx, desc); err != nil {
			return err
		}
		for _, c := range children {
			_, err := s.content.Info(ctx, c.Digest)
			if errdefs.IsNotFound(err) {
				if images.IsIndexType(desc.MediaType) {
					continue
				}
				return lost(c.Digest)
			}
			if err != nil {
				return err
			}
			if err := walk(c, depth+1); err != nil {
				return err
			}
		}
		if images.IsManifestType(desc.MediaType) {
			complete++
		}
		return nil
	}
	if err := walk(target, 0); err != nil {
		return err
	}
	if complete == 0 {
		return fmt.Errorf("%s %s has no manifest in the store: %w", target.MediaType, target.Digest, errdefs.ErrInvalidArgument)
	}
	return nil
}
