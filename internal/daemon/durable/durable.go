// Package durable writes small files so that a reader sees the old content or
// the new one, never a mixture, also after a crash or a power cut; and removes
// folders so that half a removal is finished by the next start.
//
// It must not know what the files hold.
package durable

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// WriteFile replaces path by data: a temporary file beside it is written and
// flushed, renamed over it, and the folder is flushed too. On error the old
// file is as it was.
func WriteFile(path string, data []byte, mode os.FileMode) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if err := tmp.Chmod(mode); err != nil {
		return err
	}
	if _, err := tmp.Write(data); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

// WriteJSON is [WriteFile] of v's JSON form, mode 0600.
func WriteJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	return WriteFile(path, data, 0o600)
}

// SyncDir flushes a folder's entries to its disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Discard moves dir into trash, which makes the removal certain, and then
// removes it. What a crash leaves in trash is removed by [Empty]. A dir that
// is not there is no error.
func Discard(dir, trash string) error {
	grave, err := os.MkdirTemp(trash, "gone-*")
	if err != nil {
		return err
	}
	err = os.Rename(dir, filepath.Join(grave, "d"))
	if err != nil && !os.IsNotExist(err) {
		_ = os.Remove(grave)
		return err
	}
	if err == nil {
		if err := SyncDir(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	return RemoveAll(grave)
}

// Empty removes everything inside dir and keeps dir, which is made if missing.
func Empty(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
