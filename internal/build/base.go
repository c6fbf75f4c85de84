package build

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/build/files"
	"wherry/internal/image"
	"wherry/internal/store"
)

// from begins a stage: on nothing, on an earlier stage, or on an image.
func (b *builder) from(ctx context.Context, n int, globals map[string]string) (*stage, error) {
	def := b.file.stages[n]
	name, err := b.file.expand(def.BaseName, nil, globals)
	if err != nil {
		return nil, err
	}
	platform, err := b.file.expand(def.Platform, nil, globals)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, invalid("FROM %s is empty: no ARG before the first FROM gives it a value", def.BaseName)
	}
	s := &stage{builder: b, number: n, tree: files.New(), args: map[string]string{}}
	s.config.RootFS.Type = "layers"
	s.config.Platform = b.platform()
	if name == "scratch" {
		if platform != "" {
			if s.config.Platform, err = image.Parse(platform); err != nil {
				return nil, err
			}
		}
		return s, nil
	}
	if i, ok := b.file.stageByName(name, n); ok {
		return b.done[i].clone(n), nil
	}
	if platform == "" {
		platform = b.Platform
	}
	img, err := b.image(ctx, name, platform)
	if isLinux(platform) || isWrongPlatform(err) {
		return b.onLinux(ctx, s, name, platform, img, err)
	}
	if err != nil {
		return nil, err
	}
	return s, s.startOn(ctx, img)
}

func isLinux(platform string) bool {
	p, err := image.Parse(platform)
	return platform != "" && err == nil && !image.IsWasm(p)
}

// isWrongPlatform recognises the store's word for an image that is there, but
// not for Wasm.
func isWrongPlatform(err error) bool {
	return errdefs.IsInvalidArgument(err) && !errdefs.IsNotFound(err)
}

// image finds an image of that platform ("" is Wasm), pulling it if need be.
func (b *builder) image(ctx context.Context, name, platform string) (store.Image, error) {
	if _, err := store.ParseName(name); err != nil {
		return store.Image{}, err
	}
	img, err := b.store.Get(ctx, name, platform)
	if b.Pull == nil || err == nil && !b.AlwaysPull || err != nil && !errdefs.IsNotFound(err) && !isWrongPlatform(err) {
		return img, err
	}
	b.out.text("Pulling %s\n", name)
	if err := b.Pull(ctx, name, platform); err != nil {
		return store.Image{}, err
	}
	return b.store.Get(ctx, name, platform)
}

// onLinux begins a stage on an image that isn't Wasm. Files can be taken from
// it; if something is to run in it, the image itself isn't fetched: the build
// will end at that line.
func (b *builder) onLinux(ctx context.Context, s *stage, name, platform string, img store.Image, err error) (*stage, error) {
	s.linux = name
	s.config.Platform = ocispec.Platform{OS: "linux", Architecture: runtime.GOARCH}
	for _, c := range b.file.stages[s.number].Commands {
		if _, ok := c.(*instructions.RunCommand); ok {
			return s, nil
		}
	}
	if !isLinux(platform) {
		img, err = b.image(ctx, name, "linux/"+runtime.GOARCH)
	}
	if err != nil {
		return nil, err
	}
	return s, s.startOn(ctx, img)
}

// startOn takes over an image's configuration and files.
func (s *stage) startOn(ctx context.Context, img store.Image) error {
	if k := img.Format.Kind; k != image.Plain {
		return invalid("%s is a %s, which has no layers to build on: begin with FROM scratch and COPY --from=%s", img.Name, k, img.Name)
	}
	tree, err := s.store.Tree(ctx, img)
	if err != nil {
		return err
	}
	if s.tree, err = files.FromDir(tree.Path); err != nil {
		return err
	}
	// The configuration again, as Docker's fields of it (HEALTHCHECK, SHELL,
	// ONBUILD) are not OCI's.
	blob, err := content.ReadBlob(ctx, s.store.Content(), img.Manifest.Config)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(blob, &s.config); err != nil {
		return invalid("%s: its configuration: %w", img.Name, err)
	}
	s.config.RootFS.Type = "layers"
	if len(s.config.RootFS.DiffIDs) != len(img.Manifest.Layers) {
		return invalid("%s has %d layers, and its configuration speaks of %d", img.Name, len(img.Manifest.Layers), len(s.config.RootFS.DiffIDs))
	}
	for _, l := range img.Manifest.Layers {
		// An OCI manifest names layers by OCI's types; Docker's mean the same.
		mediaType := ocispec.MediaTypeImageLayerGzip
		switch {
		case strings.HasSuffix(l.MediaType, "zstd"):
			mediaType = ocispec.MediaTypeImageLayerZstd
		case strings.HasSuffix(l.MediaType, ".tar"):
			mediaType = ocispec.MediaTypeImageLayer
		}
		s.layers = append(s.layers, ocispec.Descriptor{MediaType: mediaType, Digest: l.Digest, Size: l.Size})
	}
	if s.Platform != "" && s.linux == "" {
		s.config.Platform = s.platform()
	}
	return nil
}

// sourceTree gives what COPY --from=NAME copies from.
func (s *stage) sourceTree(ctx context.Context, name string) (*files.Tree, error) {
	if i, ok := s.file.stageByName(name, s.number); ok {
		return s.done[i].tree, nil
	}
	if t := s.foreign[name]; t != nil {
		return t, nil
	}
	img, err := s.image(ctx, name, "")
	if isWrongPlatform(err) {
		img, err = s.image(ctx, name, "linux/"+runtime.GOARCH)
	}
	if errdefs.IsNotFound(err) {
		return nil, fmt.Errorf("--from=%s is neither a stage before this one nor an image: %w", name, err)
	}
	if err != nil {
		return nil, err
	}
	tree, err := s.store.Tree(ctx, img)
	if err != nil {
		return nil, err
	}
	t, err := files.FromDir(tree.Path)
	if err == nil {
		s.foreign[name] = t
	}
	return t, err
}
