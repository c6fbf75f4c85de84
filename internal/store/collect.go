package store

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/core/metadata/boltutil"
	"github.com/containerd/errdefs"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	bolt "go.etcd.io/bbolt"
)

const (
	// labelTree on a hold's lease names the tree that it keeps.
	labelTree = "dev.wherry.tree"
	// labelPull on a lease tells that it belongs to a pull of that reference.
	labelPull = "dev.wherry.pull"
	// holdPrefix begins the lease IDs of holds.
	holdPrefix = "hold-"
)

// Hold keeps an image's content and tree for a user, such as a container's ID,
// until Release, whatever becomes of its names and of this process. Hold
// before calling Tree. A second Hold by the same user replaces the first.
func (s *Store) Hold(ctx context.Context, user string, img Image) error {
	ctx = s.context(ctx)
	// One transaction: each costs two syncs of the disk, at every start.
	err := s.db.Update(func(tx *bolt.Tx) error {
		ctx := boltutil.WithTransaction(ctx, tx)
		if err := s.Release(ctx, user); err != nil {
			return err
		}
		l, err := s.leases.Create(ctx, leases.WithID(holdPrefix+user), leases.WithLabel(labelTree, treeKey(img.Format)))
		if err != nil {
			return err
		}
		for _, d := range []digest.Digest{img.ManifestDesc.Digest, img.Target.Digest} {
			if err := s.leases.AddResource(ctx, l, leases.Resource{ID: d.String(), Type: "content"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return s.explain(fmt.Errorf("can't hold image %s: %w", img.ID, err))
	}
	return nil
}

// Release ends a Hold; it is no error if there is none.
func (s *Store) Release(ctx context.Context, user string) error {
	err := s.leases.Delete(s.context(ctx), leases.Lease{ID: holdPrefix + user})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// Holds lists the users that hold something.
func (s *Store) Holds(ctx context.Context) ([]string, error) {
	ls, err := s.leases.List(s.context(ctx), fmt.Sprintf("labels.%q", labelTree))
	if err != nil {
		return nil, err
	}
	var users []string
	for _, l := range ls {
		users = append(users, l.ID[len(holdPrefix):])
	}
	return users, nil
}

// Collect removes content and trees that nothing refers to any more.
func (s *Store) Collect(ctx context.Context) error {
	ctx = s.context(ctx)
	if _, err := s.db.GarbageCollect(ctx); err != nil {
		return s.explain(fmt.Errorf("can't collect content: %w", err))
	}
	if err := s.collectTrees(ctx); err != nil {
		return s.explain(fmt.Errorf("can't collect trees: %w", err))
	}
	return nil
}

// collectTrees removes the trees of images that are gone.
func (s *Store) collectTrees(ctx context.Context) error {
	s.trees.Lock()
	defer s.trees.Unlock()
	live, err := s.liveTrees(ctx)
	if err != nil {
		return err
	}
	found, err := os.ReadDir(s.path("trees"))
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range found {
		if live[e.Name()] {
			continue
		}
		// Moved first: a tree is whole or not there, also after a crash.
		doomed, err := os.MkdirTemp(s.path("tmp"), "gone-")
		if err == nil {
			err = os.Rename(s.path("trees", e.Name()), doomed+"/tree")
		}
		if err == nil {
			err = removeAll(doomed)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// liveTrees are the keys of trees that images or holds need.
func (s *Store) liveTrees(ctx context.Context) (map[string]bool, error) {
	live := map[string]bool{}
	ls, err := s.leases.List(ctx, fmt.Sprintf("labels.%q", labelTree))
	if err != nil {
		return nil, err
	}
	for _, l := range ls {
		live[l.Labels[labelTree]] = true
	}
	recs, err := s.images.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, rec := range recs {
		s.manifests(ctx, rec.Target, 0, func(desc ocispec.Descriptor) {
			// A manifest that can't be read has no tree that could be used.
			if _, f, err := s.readManifest(ctx, desc); err == nil {
				live[treeKey(f)] = true
			}
		})
	}
	return live, nil
}

// manifests calls f for every manifest below a target that is in the store.
func (s *Store) manifests(ctx context.Context, desc ocispec.Descriptor, depth int, f func(ocispec.Descriptor)) {
	if _, err := s.content.Info(ctx, desc.Digest); err != nil || depth > maxNesting {
		return
	}
	if images.IsManifestType(desc.MediaType) {
		f(desc)
		return
	}
	idx, err := s.readIndex(ctx, desc)
	if err != nil {
		return
	}
	for _, d := range runnable(idx) {
		s.manifests(ctx, d, depth+1, f)
	}
}

// recover removes what a killed process left.
func (s *Store) recover(ctx context.Context) error {
	left, err := os.ReadDir(s.path("tmp"))
	if err != nil {
		return err
	}
	for _, e := range left {
		if err := removeAll(s.path("tmp", e.Name())); err != nil {
			return err
		}
	}
	// Leases without a label belonged to work that can't be resumed; those of
	// pulls keep half-done downloads until they expire.
	ls, err := s.leases.List(ctx)
	if err != nil {
		return err
	}
	for _, l := range ls {
		if l.Labels[labelTree] == "" && l.Labels[labelPull] == "" {
			if err := s.leases.Delete(ctx, l); err != nil && !errdefs.IsNotFound(err) {
				return err
			}
		}
	}
	if err := s.Collect(ctx); err != nil {
		return err
	}
	return s.dropOrphans(ctx)
}

// dropOrphans removes blobs and downloads that the metadata does not know: the
// process was killed between forgetting and removing them.
func (s *Store) dropOrphans(ctx context.Context) error {
	known := map[digest.Digest]bool{}
	if err := s.content.Walk(ctx, func(i content.Info) error {
		known[i.Digest] = true
		return nil
	}); err != nil {
		return err
	}
	var orphans []digest.Digest
	if err := s.blobs.Walk(ctx, func(i content.Info) error {
		if !known[i.Digest] {
			orphans = append(orphans, i.Digest)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, d := range orphans {
		if err := s.blobs.Delete(ctx, d); err != nil && !errdefs.IsNotFound(err) {
			return err
		}
	}
	return nil
}
