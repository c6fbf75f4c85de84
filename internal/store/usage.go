package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	imagetypes "github.com/moby/moby/api/types/image"
	digest "github.com/opencontainers/go-digest"
)

// History lists how an image came to be, the last step first. Only the last
// has the image's ID and names.
func (s *Store) History(ctx context.Context, ref, platform string) ([]imagetypes.HistoryResponseItem, error) {
	img, err := s.Get(ctx, ref, platform)
	if err != nil {
		return nil, err
	}
	out := []imagetypes.HistoryResponseItem{}
	layer := 0
	for _, h := range img.Config.History {
		item := imagetypes.HistoryResponseItem{ID: "<missing>", CreatedBy: h.CreatedBy, Comment: h.Comment}
		if h.Created != nil {
			item.Created = h.Created.Unix()
		}
		if !h.EmptyLayer && layer < len(img.Manifest.Layers) {
			item.Size = img.Manifest.Layers[layer].Size
			layer++
		}
		out = append(out, item)
	}
	// Artifacts and images without a history still have layers.
	for ; layer < len(img.Manifest.Layers); layer++ {
		item := imagetypes.HistoryResponseItem{ID: "<missing>", Size: img.Manifest.Layers[layer].Size, Comment: img.Format.Kind.String()}
		if !img.Created.IsZero() {
			item.Created = img.Created.Unix()
		}
		out = append(out, item)
	}
	slices.Reverse(out)
	if len(out) > 0 {
		out[0].ID, out[0].Tags = img.ID.String(), img.Names
	}
	return out, nil
}

// Usage is what the store takes on the disk, in bytes.
type Usage struct {
	Images []ImageUsage
	// Content is all blobs, Trees all flattened images, Reclaimable what of
	// both a prune of everything that nothing holds would free.
	Content, Trees, Reclaimable int64
}

// ImageUsage is one image's part.
type ImageUsage struct {
	Image Image
	// Tree is the size of its flattened tree, 0 if that isn't made.
	Tree int64
	// Shared is the part of Image.Size and Tree that other images have too.
	Shared int64
	// Held tells that a container uses it.
	Held bool
}

// DiskUsage measures the store.
func (s *Store) DiskUsage(ctx context.Context) (Usage, error) {
	ctx = s.context(ctx)
	var u Usage
	list, err := s.List(ctx)
	if err != nil {
		return u, err
	}
	held, err := s.heldTargets(ctx)
	if err != nil {
		return u, err
	}
	uses, kept, trees := map[digest.Digest]int{}, map[digest.Digest]int64{}, map[string]int{}
	for _, img := range list {
		trees[treeKey(img.Format)]++
		for d, size := range parts(img) {
			uses[d]++
			if held[img.ID] {
				kept[d] = size
			}
		}
	}
	for _, img := range list {
		iu := ImageUsage{Image: img, Held: held[img.ID]}
		for d, size := range parts(img) {
			if uses[d] > 1 {
				iu.Shared += size
			}
		}
		if img.Broken == nil {
			key := treeKey(img.Format)
			if iu.Tree, err = dirSize(s.path("trees", key)); err != nil {
				return u, err
			}
			if trees[key] > 1 {
				iu.Shared += iu.Tree
			}
		}
		u.Images = append(u.Images, iu)
	}
	if u.Content, err = s.contentSize(ctx); err != nil {
		return u, err
	}
	if u.Trees, err = dirSize(s.path("trees")); err != nil {
		return u, err
	}
	treesKept, err := s.heldTrees(ctx)
	if err != nil {
		return u, err
	}
	u.Reclaimable = u.Content + u.Trees - treesKept
	for _, size := range kept {
		u.Reclaimable -= size
	}
	return u, nil
}

// heldTrees sums up the trees that holds need.
func (s *Store) heldTrees(ctx context.Context) (int64, error) {
	ls, err := s.leases.List(ctx, fmt.Sprintf("labels.%q", labelTree))
	if err != nil {
		return 0, err
	}
	var n int64
	seen := map[string]bool{}
	for _, l := range ls {
		key := l.Labels[labelTree]
		if seen[key] {
			continue
		}
		seen[key] = true
		size, err := dirSize(s.path("trees", key))
		if err != nil {
			return 0, err
		}
		n += size
	}
	return n, nil
}

// parts are an image's blobs and their sizes.
func parts(img Image) map[digest.Digest]int64 {
	p := map[digest.Digest]int64{}
	if img.Broken != nil {
		return p
	}
	p[img.Target.Digest], p[img.ManifestDesc.Digest] = img.Target.Size, img.ManifestDesc.Size
	p[img.Manifest.Config.Digest] = img.Manifest.Config.Size
	for _, l := range img.Manifest.Layers {
		p[l.Digest] = l.Size
	}
	return p
}

// contentSize sums up all blobs.
func (s *Store) contentSize(ctx context.Context) (int64, error) {
	var n int64
	err := s.content.Walk(ctx, func(i content.Info) error {
		n += i.Size
		return nil
	})
	return n, err
}

// diskSize is everything that a collection could free.
func (s *Store) diskSize(ctx context.Context) (int64, error) {
	var total int64
	for _, dir := range []string{"content", "trees"} {
		n, err := dirSize(s.path(dir))
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, ctx.Err()
}

// dirSize sums up the files below a folder, which may change meanwhile.
func dirSize(dir string) (int64, error) {
	var n int64
	err := fs.WalkDir(os.DirFS(dir), ".", func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}
