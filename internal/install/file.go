package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxConfig bounds a configuration that is read, in bytes.
const maxConfig = 4 << 20

// readConfig reads a file that need not be there.
func readConfig(path string) (data []byte, exists bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfig {
		return nil, true, fmt.Errorf("%s is no file of at most %d bytes", path, maxConfig)
	}
	data, err = os.ReadFile(path)
	return data, true, err
}

// writeConfig puts a file in the place of another, or of none, at once: who
// reads it sees the one or the other. Mode and owner stay; a link stays one.
func writeConfig(path string, data []byte) (err error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	mode := fs.FileMode(0o644)
	uid, gid := -1, -1
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			uid, gid = int(st.Uid), int(st.Gid)
		}
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode))
	if uid >= 0 && os.Geteuid() == 0 {
		err = errors.Join(err, f.Chown(uid, gid))
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// change is one file's change, to be taken back.
type change struct {
	path    string
	before  []byte
	existed bool
	after   []byte
}

// apply makes the change and has it checked; where the check fails what was
// there before is there again.
func (c change) apply(check func() error) error {
	if bytes.Equal(c.before, c.after) && c.existed {
		return check()
	}
	if err := writeConfig(c.path, c.after); err != nil {
		return fmt.Errorf("write %s: %w", c.path, err)
	}
	if err := check(); err != nil {
		if undo := c.undo(); undo != nil {
			return fmt.Errorf("%w; and %s could not be put back: %w", err, c.path, undo)
		}
		return fmt.Errorf("%w; %s is as it was", err, c.path)
	}
	return nil
}

func (c change) undo() error {
	if !c.existed {
		return os.Remove(c.path)
	}
	return writeConfig(c.path, c.before)
}
