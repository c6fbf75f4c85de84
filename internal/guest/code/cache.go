//go:build linux

package code

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// DefaultMaxBytes bounds a cache that says nothing else.
const DefaultMaxBytes = 2 << 30

// suffix ends the names of entries.
const suffix = ".code"

// Cache is a folder of compiled code.
type Cache struct {
	// Dir is the folder; it is made where it does not exist.
	Dir string
	// MaxBytes bounds what is kept; the entries that were not used for longest
	// go first. 0 is DefaultMaxBytes.
	MaxBytes int64
}

// Key names what code was compiled from: a module, and an engine's
// fingerprint.
type Key struct {
	Module      digest.Digest
	Fingerprint string
}

func (k Key) file() string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(k.Module.String()+"\n"+k.Fingerprint))) + suffix
}

// Lookup opens the compiled code of a module. ok is false where there is none
// that can be trusted; why then tells what is wrong with an entry that is
// there, and is nil if there is none.
func (c Cache) Lookup(k Key) (f *os.File, ok bool, why error) {
	path := filepath.Join(c.Dir, k.file())
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err == unix.ENOENT {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f = os.NewFile(uintptr(fd), path)
	if err := c.trusted(f); err != nil {
		f.Close()
		return nil, false, err
	}
	// The time says when it was last used. Only the pruning asks.
	now := time.Now()
	_ = os.Chtimes(path, now, now)
	return f, true, nil
}

// trusted checks an entry, and the folder that it is in.
func (c Cache) trusted(f *os.File) error {
	dir, err := os.Stat(c.Dir)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() || st.Size() == 0 {
		return fmt.Errorf("%s is no compiled code: it is passed over", f.Name())
	}
	for _, info := range []fs.FileInfo{dir, st} {
		if err := ownedOnly(info); err != nil {
			return fmt.Errorf("%s is not trusted and passed over: %w", f.Name(), err)
		}
	}
	return nil
}

// ownedOnly tells whether somebody else could have written a file.
func ownedOnly(info fs.FileInfo) error {
	uid := info.Sys().(*unixStat).Uid
	if uid != 0 && int(uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d", info.Name(), uid)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s can be written by others (mode %v)", info.Name(), info.Mode().Perm())
	}
	return nil
}

// Compiler turns a module into compiled code, away from this process.
type Compiler func(ctx context.Context, module, code *os.File) error

// Compile gives the compiled code of a module, from the cache or by compiling
// it. Calls for the same key, in any process, compile once: the others wait.
func (c Cache) Compile(ctx context.Context, k Key, module *os.File, compile Compiler) (*os.File, error) {
	if err := c.prepare(); err != nil {
		return nil, err
	}
	unlock, err := c.lock(ctx, k)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if f, ok, _ := c.Lookup(k); ok {
		return f, nil
	}
	if err := c.make(ctx, k, module, compile); err != nil {
		return nil, err
	}
	f, ok, err := c.Lookup(k)
	if !ok {
		return nil, fmt.Errorf("compiled code is gone right after it was made: %w", errors.Join(fs.ErrNotExist, err))
	}
	c.prune(k)
	return f, nil
}

// prepare makes the folder, and refuses one that others can write.
func (c Cache) prepare() error {
	if c.Dir == "" {
		return errors.New("no folder for compiled code was given")
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of compiled code: %w", err)
	}
	info, err := os.Stat(c.Dir)
	if err != nil {
		return err
	}
	if err := ownedOnly(info); err != nil {
		return fmt.Errorf("the folder of compiled code %s is not safe: %w", c.Dir, err)
	}
	return nil
}

// make compiles into a file without a name to others, and names it once whole.
func (c Cache) make(ctx context.Context, k Key, module *os.File, compile Compiler) (err error) {
	tmp, err := os.CreateTemp(c.Dir, ".new-*")
	if err != nil {
		return fmt.Errorf("make room for compiled code: %w", err)
	}
	defer func() {
		tmp.Close()
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	if err := compile(ctx, module, tmp); err != nil {
		return err
	}
	if err := tmp.Chmod(0o400); err != nil {
		return err
	}
	// A name on a file whose blocks are not there yet would outlast a crash.
	if err := tmp.Sync(); err != nil {
		return fmt.Errorf("write compiled code: %w", err)
	}
	return os.Rename(tmp.Name(), filepath.Join(c.Dir, k.file()))
}

// Remove takes an entry out, for example because the engine refused it.
func (c Cache) Remove(k Key) error {
	err := os.Remove(filepath.Join(c.Dir, k.file()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
