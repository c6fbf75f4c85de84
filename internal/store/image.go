package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/image"
)

// Image is an image of the store, seen as one platform's.
type Image struct {
	// Name is the complete name it was found by, such as
	// docker.io/library/hello:latest, or the first one if found by ID; empty
	// for a dangling image.
	Name string
	// Names are all its names as users write them (RepoTags), sorted.
	Names []string
	// RepoDigests are its names with the digest, as users write them.
	RepoDigests []string
	// ID is the digest of Target, as in Docker's containerd image store.
	ID digest.Digest
	// Target is what the names refer to: a manifest or an index.
	Target ocispec.Descriptor
	// ManifestDesc is the manifest chosen for the platform; Target itself if
	// that is a manifest.
	ManifestDesc ocispec.Descriptor
	Manifest     ocispec.Manifest
	// Config is the image's configuration; for artifacts all but the platform
	// and the time of creation is zero.
	Config   ocispec.Image
	Platform ocispec.Platform
	// Created is the time in the configuration, or zero.
	Created time.Time
	// Tagged is when a name was last given to it.
	Tagged time.Time
	// Size is the size of the manifest and what it refers to, as stored, in
	// bytes.
	Size   int64
	Format image.Format
	// Broken tells why the image can't be used: its content is corrupt,
	// missing, or of a form that Wherry does not know. Only List gives broken
	// images.
	Broken error
}

// Command joins the image's entrypoint and command to what a container runs;
// nil leaves the image's own, as in Docker.
func (i Image) Command(entrypoint, cmd []string) []string {
	program := ""
	if i.Format.Kind.Artifact() || i.Format.Kind == image.SoloCompat || i.Format.Kind == image.WasmLayers {
		program = i.Format.Path
	}
	if entrypoint == nil {
		entrypoint = i.Config.Config.Entrypoint
		if cmd == nil {
			cmd = i.Config.Config.Cmd
		}
	}
	if len(entrypoint) == 0 && i.Format.Kind == image.WasmLayers && len(i.Config.Config.Cmd) > 0 {
		program = ""
	}
	return image.Command(entrypoint, cmd, program)
}

// Get finds an image by name, complete or as users write it, name@digest, ID
// or a prefix of one. platform is what the user wants, or "". Errors:
// errdefs.ErrNotFound where there is none, errdefs.ErrInvalidArgument where it
// has not the wanted platform.
func (s *Store) Get(ctx context.Context, nameOrID, platform string) (Image, error) {
	ctx = s.context(ctx)
	rec, named, err := s.record(ctx, nameOrID)
	if err != nil {
		return Image{}, err
	}
	img, err := s.describe(ctx, rec, platform)
	if err != nil {
		return Image{}, s.inImage(nameOrID, err)
	}
	if !named && len(img.Names) > 0 && isDangling(rec.Name) {
		img.Name = img.Names[0]
	}
	return img, nil
}

// List gives every image once, the newest name first. An image whose content
// is damaged is listed with Broken set.
func (s *Store) List(ctx context.Context) ([]Image, error) {
	ctx = s.context(ctx)
	recs, err := s.images.List(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[digest.Digest]bool{}
	var out []Image
	for _, rec := range recs {
		if seen[rec.Target.Digest] {
			continue
		}
		seen[rec.Target.Digest] = true
		img, err := s.describe(ctx, rec, "")
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			img.Broken = s.inImage(rec.Name, err)
		}
		out = append(out, img)
	}
	sort.SliceStable(out, func(a, b int) bool { return out[a].Tagged.After(out[b].Tagged) })
	return out, nil
}

// describe reads what an image record refers to.
func (s *Store) describe(ctx context.Context, rec images.Image, platform string) (Image, error) {
	img := Image{Name: rec.Name, ID: rec.Target.Digest, Target: rec.Target, Tagged: rec.UpdatedAt}
	if isDangling(rec.Name) {
		img.Name = ""
	}
	if err := s.nameImage(ctx, &img); err != nil {
		return img, err
	}
	var err error
	if img.ManifestDesc, err = s.choose(ctx, rec.Target, platform); err != nil {
		return img, err
	}
	img.Manifest, img.Format, err = s.readManifest(ctx, img.ManifestDesc)
	if err != nil {
		return img, err
	}
	img.Config = img.Format.Config
	img.Platform = img.Config.Platform
	if img.Platform.OS == "" && img.ManifestDesc.Platform != nil {
		img.Platform = *img.ManifestDesc.Platform
	}
	if err := accept(img, platform); err != nil {
		return img, err
	}
	if img.Config.Created != nil {
		img.Created = *img.Config.Created
	}
	img.Size = img.ManifestDesc.Size + img.Manifest.Config.Size
	for _, l := range img.Manifest.Layers {
		img.Size += l.Size
	}
	return img, nil
}

// nameImage fills in an image's names.
func (s *Store) nameImage(ctx context.Context, img *Image) error {
	recs, err := s.sameTarget(ctx, img.ID)
	if err != nil {
		return err
	}
	for _, rec := range recs {
		if rec.UpdatedAt.After(img.Tagged) {
			img.Tagged = rec.UpdatedAt
		}
		n, err := reference.ParseNormalizedNamed(rec.Name)
		if err != nil || isDangling(rec.Name) {
			continue
		}
		if _, digested := n.(reference.Digested); !digested {
			img.Names = append(img.Names, reference.FamiliarString(n))
		}
		if withDigest, err := reference.WithDigest(reference.TrimNamed(n), img.ID); err == nil {
			if d := reference.FamiliarString(withDigest); !slices.Contains(img.RepoDigests, d) {
				img.RepoDigests = append(img.RepoDigests, d)
			}
		}
	}
	slices.Sort(img.Names)
	slices.Sort(img.RepoDigests)
	return nil
}

// readManifest reads a manifest and its configuration, and checks both
// against their digests.
func (s *Store) readManifest(ctx context.Context, desc ocispec.Descriptor) (m ocispec.Manifest, f image.Format, err error) {
	b, err := s.readBlob(ctx, desc)
	if err != nil {
		return m, f, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, f, fmt.Errorf("manifest %s is not JSON: %v: %w", desc.Digest, err, errdefs.ErrInvalidArgument)
	}
	config, err := s.readBlob(ctx, m.Config)
	if err != nil {
		return m, f, err
	}
	f, err = image.Classify(m, config)
	return m, f, err
}

// accept checks that an image has the platform the user wants. A single
// manifest that says something else by mistake is accepted as Wasm: whether it
// is shows in its program.
func accept(img Image, platform string) error {
	if platform == "" {
		return nil
	}
	m, err := image.Matcher(platform)
	if err != nil || m.Match(img.Platform) {
		return err
	}
	if want, _ := image.Parse(platform); image.IsWasm(want) && img.Target.Digest == img.ManifestDesc.Digest {
		return nil
	}
	return fmt.Errorf("its platform is %s, not the wanted %s; Wherry runs wasi/wasm images: %w",
		platforms.Format(img.Platform), platform, errdefs.ErrInvalidArgument)
}

// inImage names the image in an error.
func (s *Store) inImage(name string, err error) error {
	return s.explain(fmt.Errorf("image %s: %w", familiar(name), err))
}
