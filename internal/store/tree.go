package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/containerd/errdefs"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/image"
	"wherry/internal/store/unpack"
)

// Tree is an image flattened into one folder that nobody writes to.
type Tree struct {
	// Key names the tree; images with the same layers have the same one.
	Key string `json:"key"`
	// Path is the folder.
	Path string `json:"-"`
	// Digests are those of the Wasm modules in it, by absolute path in the
	// image.
	Digests map[string]digest.Digest `json:"digests"`
	// Program is the module's absolute path in the image where the format
	// names one (artifacts), else empty.
	Program string `json:"program,omitempty"`
	// Size is the content of its files in bytes.
	Size int64 `json:"size"`
	// Skipped counts entries that were left out, by kind.
	Skipped map[string]int `json:"skipped,omitempty"`
}

// treeVersion is part of every key; a change of how trees are made raises it.
const treeVersion = "1"

// treeKey names the tree of a format.
func treeKey(f image.Format) string {
	h := digest.Canonical.Digester()
	fmt.Fprintln(h.Hash(), "tree", treeVersion, len(f.Layers))
	for i, l := range f.Layers {
		// Equal layers compressed differently make equal trees.
		id := l.Digest
		if i < len(f.Config.RootFS.DiffIDs) {
			id = f.Config.RootFS.DiffIDs[i]
		}
		fmt.Fprintln(h.Hash(), id)
	}
	if f.Module != nil {
		fmt.Fprintf(h.Hash(), "module %s %q\n", f.Module.Digest, f.Path)
	}
	if f.Kind == image.SoloCompat {
		fmt.Fprintf(h.Hash(), "program %q\n", f.Path)
	}
	return h.Digest().Encoded()
}

// Tree gives the image's tree, made at the first call. It stays as long as the
// image has a name or a Hold. Errors: errdefs.ErrDataLoss where a blob is
// corrupt, errdefs.ErrResourceExhausted where it unpacks to too much or the
// disk is full.
func (s *Store) Tree(ctx context.Context, img Image) (Tree, error) {
	ctx = s.context(ctx)
	s.trees.RLock()
	defer s.trees.RUnlock()
	key := treeKey(img.Format)
	defer s.making.lock(key)()
	t, err := s.readTree(key)
	if errors.Is(err, fs.ErrNotExist) {
		t, err = s.makeTree(ctx, key, img.Format)
	}
	if err != nil {
		name := img.Name
		if name == "" {
			name = img.ID.String()
		}
		return Tree{}, s.inImage(name, err)
	}
	return t, nil
}

// readTree reads a tree that was made before.
func (s *Store) readTree(key string) (Tree, error) {
	b, err := os.ReadFile(s.path("trees", key, "tree.json"))
	if err != nil {
		return Tree{}, err
	}
	var t Tree
	if err := json.Unmarshal(b, &t); err != nil || t.Key != key {
		return Tree{}, fmt.Errorf("%s is damaged: remove the folder it is in (%v): %w", s.path("trees", key, "tree.json"), err, errdefs.ErrDataLoss)
	}
	t.Path = s.path("trees", key, "rootfs")
	return t, nil
}

// makeTree unpacks an image beside the trees and moves it in when complete.
func (s *Store) makeTree(ctx context.Context, key string, f image.Format) (_ Tree, err error) {
	tmp, err := os.MkdirTemp(s.path("tmp"), "tree-")
	if err != nil {
		return Tree{}, err
	}
	defer func() {
		err = errors.Join(err, removeAll(tmp))
	}()
	rootfs := filepath.Join(tmp, "new", "rootfs")
	if err := os.MkdirAll(rootfs, 0o755); err != nil {
		return Tree{}, err
	}
	var layers []unpack.Layer
	for i, desc := range f.Layers {
		l := unpack.Layer{Digest: desc.Digest, Open: func() (io.ReadCloser, error) { return s.stream(ctx, desc) }}
		if i < len(f.Config.RootFS.DiffIDs) {
			l.DiffID = f.Config.RootFS.DiffIDs[i]
		}
		layers = append(layers, l)
	}
	res, err := unpack.Layers(ctx, rootfs, layers, unpack.Limits{})
	if errors.Is(err, unpack.ErrCorrupt) {
		err = fmt.Errorf("%w; pull or load the image again", err)
	}
	if err != nil {
		return Tree{}, err
	}
	t := Tree{Key: key, Digests: res.Digests, Size: res.Size, Skipped: res.Skipped, Program: f.Path}
	if f.Module != nil {
		if err := s.placeModule(ctx, rootfs, f); err != nil {
			return Tree{}, err
		}
		t.Digests[f.Path] = f.Module.Digest
		t.Size += f.Module.Size
	}
	b, err := json.Marshal(t)
	if err != nil {
		return Tree{}, err
	}
	if err := os.WriteFile(filepath.Join(tmp, "new", "tree.json"), b, 0o600); err != nil {
		return Tree{}, err
	}
	// The rename may reach the disk before the files' content does.
	if err := syncTree(tmp); err != nil {
		return Tree{}, err
	}
	if err := os.Rename(filepath.Join(tmp, "new"), s.path("trees", key)); err != nil {
		return Tree{}, err
	}
	t.Path = s.path("trees", key, "rootfs")
	return t, syncTree(s.path("trees"))
}

// stream opens a blob for reading from its start.
func (s *Store) stream(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	ra, err := s.open(ctx, desc)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(ra, 0, ra.Size()), ra}, nil
}

// placeModule writes a raw Wasm layer where its program belongs.
func (s *Store) placeModule(ctx context.Context, rootfs string, f image.Format) error {
	root, err := os.OpenRoot(rootfs)
	if err != nil {
		return err
	}
	defer root.Close()
	name := filepath.FromSlash(f.Path[1:])
	if dir := path.Dir(f.Path); dir != "/" {
		if err := root.MkdirAll(filepath.FromSlash(dir[1:]), 0o755); err != nil {
			return err
		}
	}
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r, err := s.stream(ctx, *f.Module)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	v := f.Module.Digest.Verifier()
	_, err = io.Copy(io.MultiWriter(w, v), &ctxReader{ctx, r})
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	if !v.Verified() {
		return corrupt(f.Module.Digest, "its content has another digest")
	}
	return nil
}

// removeAll removes a tree, also where an interrupted unpacking left folders
// that can't be entered.
func removeAll(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	// A folder that can't be listed stays as it is; RemoveAll then tells.
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
