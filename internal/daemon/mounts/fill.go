package mounts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	confs "github.com/containerd/continuity/fs"
)

// Fill copies what the image's tree has at dest into the volume's folder, if
// the folder is empty: a new volume begins with what the image would show
// there. Links in dest are followed inside the tree. It answers whether it
// copied anything.
func Fill(volume, tree, dest string) (bool, error) {
	entries, err := os.ReadDir(volume)
	if err != nil || len(entries) > 0 || tree == "" {
		return false, err
	}
	source, err := confs.RootPath(tree, dest)
	if err != nil {
		return false, fmt.Errorf("find %s in the image: %w", dest, err)
	}
	st, err := os.Lstat(source)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !st.IsDir() {
		return false, fmt.Errorf("the image has a file at %s, where a volume, which is a folder, is to be mounted", dest)
	}
	if err := confs.CopyDir(volume, source); err != nil {
		return false, fmt.Errorf("copy the image's %s into the volume: %w", dest, err)
	}
	return true, nil
}

// Prepare makes the source of a bind usable at start: a missing one is made as
// a folder, as Docker does for -v, unless it must exist.
func Prepare(source string, mustExist bool) error {
	_, err := os.Stat(source)
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("bind source path %s: %w", source, err)
	case mustExist:
		return fmt.Errorf("bind source path does not exist: %s", source)
	}
	if err := os.MkdirAll(source, 0o755); err != nil {
		return fmt.Errorf("error while creating mount source path '%s': %w", filepath.Clean(source), err)
	}
	return nil
}
