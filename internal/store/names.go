package store

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// danglingPrefix names images that lost their name, as Docker's containerd
// image store does.
const danglingPrefix = "moby-dangling@"

func danglingName(d digest.Digest) string { return danglingPrefix + d.String() }

func isDangling(name string) bool { return strings.HasPrefix(name, danglingPrefix) }

// ParseName completes a name as Docker does: "hello" is
// docker.io/library/hello:latest. Errors wrap errdefs.ErrInvalidArgument.
func ParseName(name string) (reference.Named, error) {
	n, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return nil, fmt.Errorf("invalid reference format: %q is not an image name (%v): %w", name, err, errdefs.ErrInvalidArgument)
	}
	return reference.TagNameOnly(n), nil
}

// parseTag is ParseName for a name that is to be given to an image.
func parseTag(name string) (reference.NamedTagged, error) {
	n, err := ParseName(name)
	if err != nil {
		return nil, err
	}
	if _, ok := n.(reference.Digested); ok {
		return nil, fmt.Errorf("refusing to create a tag with a digest reference: %w", errdefs.ErrInvalidArgument)
	}
	return n.(reference.NamedTagged), nil
}

// familiar is the name as users write it.
func familiar(name string) string {
	n, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	return reference.FamiliarString(n)
}

var idPattern = regexp.MustCompile(`^(sha256:)?[0-9a-f]{1,64}$`)

// record finds the record that a name or ID means; of an ID the record with
// the first name, and named false.
func (s *Store) record(ctx context.Context, nameOrID string) (img images.Image, named bool, err error) {
	if nameOrID == "" {
		return img, false, fmt.Errorf("an image's name is empty: %w", errdefs.ErrInvalidArgument)
	}
	missing := fmt.Errorf("No such image: %s: %w", nameOrID, errdefs.ErrNotFound) //nolint:staticcheck // Docker's words.
	isID := idPattern.MatchString(nameOrID)
	fullID := isID && len(strings.TrimPrefix(nameOrID, "sha256:")) == 64
	if !fullID {
		n, err := ParseName(nameOrID)
		if err != nil && !isID {
			return img, false, err
		}
		if err == nil {
			if img, err = s.byName(ctx, n); err == nil {
				return img, true, nil
			} else if !errdefs.IsNotFound(err) {
				return img, false, err
			}
			missing = fmt.Errorf("No such image: %s: %w", reference.FamiliarString(n), errdefs.ErrNotFound) //nolint:staticcheck // Docker's words.
		}
	}
	if !isID {
		return img, false, missing
	}
	img, err = s.byID(ctx, "sha256:"+strings.TrimPrefix(nameOrID, "sha256:"))
	if errdefs.IsNotFound(err) {
		err = missing
	}
	return img, false, err
}

// byName finds name:tag, name@digest, or name:tag@digest.
func (s *Store) byName(ctx context.Context, n reference.Named) (images.Image, error) {
	d, digested := n.(reference.Digested)
	if !digested {
		return s.images.Get(ctx, n.String())
	}
	all, err := s.images.List(ctx)
	if err != nil {
		return images.Image{}, err
	}
	for _, img := range all {
		if img.Target.Digest != d.Digest() || isDangling(img.Name) {
			continue
		}
		if r, err := reference.ParseNormalizedNamed(img.Name); err == nil && r.Name() == n.Name() {
			return img, nil
		}
	}
	return images.Image{}, fmt.Errorf("%s: %w", n, errdefs.ErrNotFound)
}

// byID finds the image whose target's digest begins with prefix.
func (s *Store) byID(ctx context.Context, prefix string) (images.Image, error) {
	all, err := s.images.List(ctx)
	if err != nil {
		return images.Image{}, err
	}
	var found images.Image
	for _, img := range all {
		d := img.Target.Digest
		switch {
		case !strings.HasPrefix(d.String(), prefix):
		case found.Name == "":
			found = img
		case found.Target.Digest != d:
			return found, fmt.Errorf("image ID prefix %q is ambiguous: give more of it: %w", strings.TrimPrefix(prefix, "sha256:"), errdefs.ErrInvalidArgument)
		case isDangling(found.Name):
			found = img
		}
	}
	if found.Name == "" {
		return found, fmt.Errorf("%s: %w", prefix, errdefs.ErrNotFound)
	}
	return found, nil
}

// sameTarget lists the records that refer to a target.
func (s *Store) sameTarget(ctx context.Context, d digest.Digest) ([]images.Image, error) {
	return s.images.List(ctx, fmt.Sprintf("target.digest==%s", d))
}

// CreateImage gives the content desc a name, or keeps it as a dangling image
// if name is empty. The content must be complete in Content, for indexes but
// for manifests of other platforms. An image that had the name keeps existing,
// dangling if it has no other. Call it within a Lease.
func (s *Store) CreateImage(ctx context.Context, name string, desc ocispec.Descriptor) (Image, error) {
	ctx = s.context(ctx)
	full := danglingName(desc.Digest)
	if name != "" {
		n, err := parseTag(name)
		if err != nil {
			return Image{}, err
		}
		full = n.String()
	}
	if err := s.linkContent(ctx, desc); err != nil {
		return Image{}, s.explain(err)
	}
	if err := s.setName(ctx, full, desc); err != nil {
		return Image{}, s.explain(err)
	}
	return s.describe(ctx, images.Image{Name: full, Target: desc}, "")
}

// setName makes a complete name refer to a target.
func (s *Store) setName(ctx context.Context, name string, target ocispec.Descriptor) error {
	s.names.Lock()
	defer s.names.Unlock()
	// Only what makes the target findable is kept: what an index said of a
	// child is not true of it under a name.
	target = ocispec.Descriptor{MediaType: target.MediaType, Digest: target.Digest, Size: target.Size}
	old, err := s.images.Get(ctx, name)
	switch {
	case errdefs.IsNotFound(err):
		if _, err = s.images.Create(ctx, images.Image{Name: name, Target: target}); err != nil {
			return fmt.Errorf("can't name the image %s: %w", familiar(name), err)
		}
	case err != nil:
		return err
	case old.Target.Digest == target.Digest:
	default:
		if err := s.keepDangling(ctx, old); err != nil {
			return err
		}
		old.Target = target
		if _, err := s.images.Update(ctx, old, "target"); err != nil {
			return fmt.Errorf("can't name the image %s: %w", familiar(name), err)
		}
	}
	if isDangling(name) {
		return nil
	}
	return s.dropDangling(ctx, target.Digest)
}

// keepDangling keeps an image that is about to lose a name.
func (s *Store) keepDangling(ctx context.Context, img images.Image) error {
	same, err := s.sameTarget(ctx, img.Target.Digest)
	if err != nil || len(same) > 1 {
		return err
	}
	_, err = s.images.Create(ctx, images.Image{Name: danglingName(img.Target.Digest), Target: img.Target})
	if errdefs.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// dropDangling drops the nameless record of an image that has a name.
func (s *Store) dropDangling(ctx context.Context, d digest.Digest) error {
	err := s.images.Delete(ctx, danglingName(d))
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// Tag gives the image src another name.
func (s *Store) Tag(ctx context.Context, src, dst string) error {
	ctx = s.context(ctx)
	img, _, err := s.record(ctx, src)
	if err != nil {
		return err
	}
	n, err := parseTag(dst)
	if err != nil {
		return err
	}
	return s.explain(s.setName(ctx, n.String(), img.Target))
}
