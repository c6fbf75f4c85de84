package files

import (
	"archive/tar"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"time"
)

// Whiteout begins the name of the empty file that takes one away in a layer
// (OCI image-spec, layer.md).
const Whiteout = ".wh."

// WriteLayer writes an image layer: the changed nodes, and marks for those that
// are gone. The same content gives the same bytes: entries are in order, and
// all have the time when.
func WriteLayer(w io.Writer, changed map[string]*Node, gone []string, when time.Time) error {
	entries := maps.Clone(changed)
	away := map[string]bool{}
	for _, p := range gone {
		away[p] = true
	}
	for _, p := range gone {
		// What goes with its folder, or was replaced, needs no mark of its own.
		parent, replaced := changed[path.Dir(p)]
		if _, again := changed[p]; again || away[path.Dir(p)] || replaced && parent.Type != Dir {
			continue
		}
		entries[path.Join(path.Dir(p), Whiteout+path.Base(p))] = &Node{Type: File}
	}
	tw := tar.NewWriter(w)
	for _, p := range slices.Sorted(maps.Keys(entries)) {
		if err := writeEntry(tw, p, entries[p], when); err != nil {
			return fmt.Errorf("/%s: %w", p, err)
		}
	}
	return tw.Close()
}

func writeEntry(tw *tar.Writer, p string, n *Node, when time.Time) error {
	h := &tar.Header{Name: p, Mode: n.Mode, Uid: n.UID, Gid: n.GID, ModTime: when.Truncate(time.Second)}
	switch n.Type {
	case Dir:
		h.Typeflag, h.Name = tar.TypeDir, p+"/"
	case Link:
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, n.Target, 0o777
	default:
		h.Typeflag, h.Size = tar.TypeReg, n.Size
	}
	if err := tw.WriteHeader(h); err != nil || n.Type != File || n.Open == nil {
		return err
	}
	r, err := n.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(tw, r)
	return err
}
