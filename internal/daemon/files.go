//go:build linux

package daemon

import (
	"context"
	"io"
	"path"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/mount"

	"wherry/internal/daemon/archive"
	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/record"
	"wherry/internal/wasi/host/tree"
)

// openTree opens a container's files as its program sees them, but for what
// only the program has: its tmpfs, and the files that exist by default.
func (d *Daemon) openTree(rec record.Container, withMounts bool) (*tree.Tree, error) {
	cfg := tree.Config{
		Root: rec.Image.Tree, Upper: d.records.Upper(rec.ID), ReadOnly: rec.HostConfig.ReadonlyRootfs, NoDevices: true,
	}
	if withMounts {
		sources, err := d.sources(rec)
		if err != nil {
			return nil, err
		}
		for _, m := range rec.Mounts {
			if m.Type != mount.TypeTmpfs {
				cfg.Mounts = append(cfg.Mounts, tree.Mount{Target: m.Destination, Source: sources[m.Destination], ReadOnly: !m.RW})
			}
		}
	}
	return tree.New(cfg)
}

// within opens the tree for a path and hands its root to f.
func (d *Daemon) within(id, p string, f func(c *ctr, root *tree.Dir) error) error {
	c, err := d.find(id)
	if err != nil {
		return err
	}
	rec := c.snapshot()
	if strings.ContainsRune(p, 0) || p == "" {
		return fault.Invalid("bad path %q: want a path inside the container", p)
	}
	for _, m := range rec.Mounts {
		if clean := path.Clean("/" + p); m.Type == mount.TypeTmpfs && (clean == m.Destination || strings.HasPrefix(clean, m.Destination+"/")) {
			return fault.Invalid("%s is on a tmpfs, which only the container's program sees", p)
		}
	}
	t, err := d.openTree(rec, true)
	if err != nil {
		return err
	}
	defer t.Close()
	root := t.Root()
	defer root.Close()
	return f(c, root)
}

// ContainerStatPath describes a file of a container.
func (d *Daemon) ContainerStatPath(_ context.Context, id, p string) (st container.PathStat, err error) {
	err = d.within(id, p, func(_ *ctr, root *tree.Dir) error {
		st, err = archive.Stat(root, p)
		return err
	})
	return st, err
}

// ContainerArchive answers a file or folder of a container as a tar stream,
// which the caller closes.
func (d *Daemon) ContainerArchive(ctx context.Context, id, p string) (rc io.ReadCloser, st container.PathStat, err error) {
	opened := make(chan error, 1)
	r, w := io.Pipe()
	go func() {
		answered := false
		err := d.within(id, p, func(c *ctr, root *tree.Dir) error {
			found, err := archive.Stat(root, p)
			if err != nil {
				return err
			}
			st, answered = found, true
			opened <- nil
			c.emit(events.ActionArchivePath, nil)
			return archive.Write(ctx, root, p, baseName(p), w)
		})
		if !answered {
			opened <- err
		}
		w.CloseWithError(err)
	}()
	if err := <-opened; err != nil {
		return nil, container.PathStat{}, err
	}
	return r, st, nil
}

// baseName is the name of an archive's first entry: a folder that was named
// with "/." at its end gives its content without itself.
func baseName(p string) string {
	if strings.HasSuffix(p, "/.") || path.Clean("/"+p) == "/" {
		return "."
	}
	return path.Base(path.Clean("/" + p))
}

// ContainerExtract unpacks a tar stream into a folder of a container. Owners
// are not kept: WASI has no users, and the engine may run as anybody.
func (d *Daemon) ContainerExtract(ctx context.Context, id, p string, o ExtractOptions, in io.Reader) error {
	return d.within(id, p, func(c *ctr, root *tree.Dir) error {
		if err := archive.Extract(ctx, root, p, o.NoOverwriteDirNonDir, in); err != nil {
			return diskWords("copy into the container", err)
		}
		c.emit(events.ActionExtractToDir, map[string]string{"path": p})
		return nil
	})
}

// ContainerExport writes a container's files, without its mounts, as a tar
// stream.
func (d *Daemon) ContainerExport(ctx context.Context, id string, w io.Writer) error {
	c, err := d.find(id)
	if err != nil {
		return err
	}
	t, err := d.openTree(c.snapshot(), false)
	if err != nil {
		return err
	}
	defer t.Close()
	root := t.Root()
	defer root.Close()
	if err := archive.Write(ctx, root, "/", "", w); err != nil {
		return err
	}
	c.emit(events.ActionExport, nil)
	return nil
}

// ContainerChanges lists what a container changed of its image's files.
func (d *Daemon) ContainerChanges(_ context.Context, id string) ([]container.FilesystemChange, error) {
	c, err := d.find(id)
	if err != nil {
		return nil, err
	}
	changes, err := tree.Changes(c.snapshot().Image.Tree, d.records.Upper(c.id))
	if err != nil {
		return nil, err
	}
	list := []container.FilesystemChange{}
	for _, ch := range changes {
		kind := container.ChangeModify
		switch ch.Kind {
		case tree.Added:
			kind = container.ChangeAdd
		case tree.Deleted:
			kind = container.ChangeDelete
		}
		list = append(list, container.FilesystemChange{Kind: kind, Path: ch.Path})
	}
	return list, nil
}
