//go:build linux

package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/distribution/reference"

	"wherry/internal/daemon/archive"
	"wherry/internal/wasi/host/tree"
)

// registryNames are the keys under which clients send the credentials of a
// name's registry.
func registryNames(name string) []string {
	n, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return nil
	}
	domain := reference.Domain(n)
	names := []string{domain, "https://" + domain}
	if domain == "docker.io" {
		names = append(names, "https://index.docker.io/v1/", "index.docker.io")
	}
	return names
}

// settleInto makes what a guest changed in its level part of the folder below
// it, which is what comes of a build's RUN.
func settleInto(root, upper string) error {
	changes, err := tree.Changes(root, upper)
	if err != nil {
		return err
	}
	t, err := tree.New(tree.Config{Root: root, Upper: upper, ReadOnly: true, NoDevices: true})
	if err != nil {
		return err
	}
	defer t.Close()
	merged := t.Root()
	defer merged.Close()
	// os.Root keeps a link in the stage's files from leading out of them.
	dst, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer dst.Close()
	for _, ch := range changes {
		rel := archive.Relative(ch.Path)
		if rel == "." {
			continue
		}
		if ch.Kind == tree.Deleted {
			err = dst.RemoveAll(rel)
		} else {
			err = settle(dst, merged, rel)
		}
		if err != nil {
			return fmt.Errorf("keep what RUN changed: %s: %w", ch.Path, err)
		}
	}
	return nil
}

// settle brings one path from the merged tree into the folder.
func settle(dst *os.Root, merged *tree.Dir, rel string) error {
	st, err := merged.StatAt(rel, false)
	if err != nil {
		return err
	}
	now, err := dst.Lstat(rel)
	if err == nil && !(now.IsDir() && st.Type == tree.TypeDirectory) {
		if err := dst.RemoveAll(rel); err != nil {
			return err
		}
	}
	switch st.Type {
	case tree.TypeDirectory:
		if err == nil && now.IsDir() {
			return nil
		}
		return dst.Mkdir(rel, 0o755)
	case tree.TypeSymlink:
		target, err := merged.Readlink(rel)
		if err != nil {
			return err
		}
		return dst.Symlink(target, rel)
	case tree.TypeRegular:
		return settleFile(dst, merged, rel, os.FileMode(st.Mode&0o777))
	default:
		return errors.New("neither file, folder nor link")
	}
}

func settleFile(dst *os.Root, merged *tree.Dir, rel string, mode os.FileMode) (err error) {
	n, err := merged.Open(rel, tree.OpenFlags{Read: true})
	if err != nil {
		return err
	}
	defer n.Close()
	in, ok := n.(*tree.File)
	if !ok {
		return errors.New("it became a folder")
	}
	out, err := dst.OpenFile(rel, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o200)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, archive.Reader(in)); err != nil {
		return err
	}
	return out.Chmod(mode)
}
