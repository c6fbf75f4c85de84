package wazero

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"unsafe"

	"github.com/tetratelabs/wazero"

	"wherry/internal/engine"
)

// entry is the compiled code of one module as wazero writes it into its cache.
// It has none where the interpreter runs.
type entry struct {
	key  [32]byte
	code []byte
}

func (e entry) empty() bool { return len(e.code) == 0 }

// codeCache stands where wazero expects its folder of compiled code.
//
// wazero's API offers compiled code only through NewCompilationCacheWithDir,
// which wants to make folders and temporary files and to name the file itself.
// A container process has one file that its parent chose, and no place to
// write. So hook puts this in place of the folder, inside the cache object;
// the interface is wazero's (internal/filecache.Cache), whose methods name no
// internal type. TestHook fails when a wazero release changes that.
//
// Its fields belong to the one compilation that Engine.mu lets through.
type codeCache struct {
	offered entry // code to load; empty while compiling
	taken   bool  // whether wazero took the offered code
	made    entry // what wazero compiled
}

// storage repeats filecache.Cache of wazero 1.12.
type storage interface {
	Get(key [32]byte) (content io.ReadCloser, ok bool, err error)
	Add(key [32]byte, content io.Reader) error
	Delete(key [32]byte) error
}

var _ storage = (*codeCache)(nil)

func hook(c wazero.CompilationCache) (*codeCache, error) {
	ours := &codeCache{}
	v := reflect.ValueOf(c)
	if v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct {
		field := v.Elem().FieldByName("fileCache")
		if field.IsValid() && field.Kind() == reflect.Interface && reflect.TypeFor[*codeCache]().Implements(field.Type()) {
			reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Set(reflect.ValueOf(ours))
			return ours, nil
		}
	}
	return nil, fmt.Errorf("this wazero is not %s: its compilation cache has no fileCache to hook", Version)
}

// Get implements storage.
func (c *codeCache) Get(key [32]byte) (io.ReadCloser, bool, error) {
	if c.offered.empty() {
		c.made.key = key
		return nil, false, nil
	}
	if key != c.offered.key {
		return nil, false, fmt.Errorf("%w: it was compiled from another module or for another CPU", engine.ErrIncompatible)
	}
	c.taken = true
	return io.NopCloser(bytes.NewReader(c.offered.code)), true, nil
}

// Add implements storage.
func (c *codeCache) Add(key [32]byte, content io.Reader) error {
	code, err := io.ReadAll(content)
	c.made = entry{key: key, code: code}
	return err
}

// Delete implements storage. wazero asks for it when code is of another
// release, and would then compile: that must not happen unseen.
func (c *codeCache) Delete([32]byte) error {
	return fmt.Errorf("%w: it was compiled by another release of wazero", engine.ErrIncompatible)
}

var errClosed = errors.New("wazero: the engine, module or store is closed")
