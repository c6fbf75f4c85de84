package build

import (
	"archive/tar"
	"context"
	"io"
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/go-archive/compression"

	"wherry/internal/build/files"
)

// add is COPY that unpacks archives. What it would download is refused: a build
// sees its context and nothing else.
func (s *stage) add(ctx context.Context, c *instructions.AddCommand) error {
	for _, src := range c.SourcePaths {
		if remote(src) {
			return invalid("ADD of %s is not built: download it beside the Dockerfile and COPY it", src)
		}
	}
	if c.Checksum != "" || c.KeepGitDir != nil {
		return invalid("ADD --checksum and --keep-git-dir are for downloads, which are not built")
	}
	p, err := s.placing("ADD", s.context, c.SourcesAndDest, c.Chown, c.Chmod, c.ExcludePatterns)
	if err != nil {
		return err
	}
	for _, src := range c.SourcePaths {
		err := p.place(src, true, func(name string, n *files.Node) error {
			if c.Unpack != nil && !*c.Unpack {
				return p.put(name, n)
			}
			archive, err := s.unpack(ctx, n)
			if err != nil {
				return invalid("ADD: unpacking %s: %w", src, err)
			}
			if archive == nil {
				if c.Unpack != nil {
					return invalid("ADD --unpack: %s is no tar archive", src)
				}
				return p.put(name, n)
			}
			return p.contents(archive)
		})
		if err != nil {
			return err
		}
	}
	return p.finish(ctx, c.SourceContents, source(c))
}

// remote recognises what ADD would fetch.
func remote(src string) bool {
	lower := strings.ToLower(src)
	for _, prefix := range []string{"http://", "https://", "git://", "ssh://", "git@", "ftp://"} {
		if strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	return false
}

// unpack reads a file as an archive, plain or compressed; nil if it is none.
func (s *stage) unpack(ctx context.Context, n *files.Node) (*files.Tree, error) {
	open := func() (io.ReadCloser, io.ReadCloser, error) {
		f, err := n.Open()
		if err != nil {
			return nil, nil, err
		}
		r, err := compression.DecompressStream(f)
		if err != nil {
			f.Close()
			return nil, nil, nil // what only begins like compressed data is a file
		}
		return f, r, nil
	}
	f, r, err := open()
	if err != nil || r == nil {
		return nil, err
	}
	_, notTar := tar.NewReader(r).Next()
	r.Close()
	f.Close()
	if notTar != nil {
		return nil, nil
	}
	if f, r, err = open(); err != nil {
		return nil, err
	}
	defer f.Close()
	defer r.Close()
	return files.ReadTar(ctx, r, s.spool)
}

// contents lays an archive's files into the destination, with their owners.
func (p *placing) contents(archive *files.Tree) error {
	if err := p.dirs(p.dest); err != nil {
		return err
	}
	from, uid, gid := p.from, p.uid, p.gid
	defer func() { p.from, p.uid, p.gid = from, uid, gid }()
	p.from = archive
	for _, at := range archive.Below("") {
		n, _ := archive.Get(at)
		p.uid, p.gid = n.UID, n.GID
		if err := p.set(path.Join(p.dest, at), n); err != nil {
			return err
		}
	}
	return nil
}
