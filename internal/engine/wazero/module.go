package wazero

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

	"wherry/internal/engine"
	"wherry/internal/engine/signature"
)

// Module is a module compiled in one runtime, and what it takes to have it in
// another: wazero numbers types per runtime.
type Module struct {
	sig   *signature.Signature
	wasm  []byte
	entry entry

	mu       sync.Mutex
	closed   bool
	compiled map[wazero.Runtime]wazero.CompiledModule
}

var _ engine.Module = (*Module)(nil)

// compile decodes, validates and compiles a module, or takes the offered code.
func (e *Engine) compile(ctx context.Context, wasm []byte, offered entry) (*Module, error) {
	sig, err := signature.Parse(wasm)
	if err != nil {
		return nil, err
	}
	// wazero makes room for whatever a module claims to hold.
	if wasm, err = signature.Sound(wasm); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errClosed
	}
	if e.compiler == nil {
		e.compiler = e.newRuntime()
	}
	*e.code = codeCache{offered: offered}
	defer func() { *e.code = codeCache{} }()
	c, err := e.compiler.CompileModule(compileContext(ctx), wasm)
	switch {
	case errors.Is(err, engine.ErrIncompatible):
		return nil, err
	case err != nil && e.code.taken:
		return nil, fmt.Errorf("%w: %w", engine.ErrIncompatible, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %s", engine.ErrInvalidModule, strings.Join(strings.Fields(err.Error()), " "))
	}
	m := &Module{
		sig:      sig,
		wasm:     wasm,
		entry:    offered,
		compiled: map[wazero.Runtime]wazero.CompiledModule{e.compiler: c},
	}
	if offered.empty() {
		m.entry = e.code.made
	}
	return m, nil
}

func compileContext(ctx context.Context) context.Context {
	return experimental.WithCompilationWorkers(context.WithoutCancel(ctx), runtime.GOMAXPROCS(0))
}

// in gives the module for a store's runtime. Its code is compiled already, or is
// offered again; only decoding is repeated.
func (m *Module) in(e *Engine, r wazero.Runtime) (wazero.CompiledModule, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errClosed
	}
	if c := m.compiled[r]; c != nil {
		return c, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	*e.code = codeCache{offered: m.entry}
	defer func() { *e.code = codeCache{} }()
	c, err := r.CompileModule(compileContext(context.Background()), m.wasm)
	if err != nil {
		return nil, err
	}
	m.compiled[r] = c
	return c, nil
}

// forget drops what belongs to a runtime that is closed. The code itself stays
// compiled as long as one runtime's form of the module is open.
func (m *Module) forget(r wazero.Runtime) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.compiled) > 1 {
		delete(m.compiled, r)
	}
}

// Imports implements engine.Module.
func (m *Module) Imports() []engine.Import { return m.sig.Imports }

// Exports implements engine.Module.
func (m *Module) Exports() []engine.Export { return m.sig.Exports }

// Close implements engine.Module. Instances of it live on.
func (m *Module) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	var err error
	for _, c := range m.compiled {
		err = errors.Join(err, c.Close(context.Background()))
	}
	m.compiled, m.wasm, m.entry = nil, nil, entry{}
	return err
}

// A file of compiled code is the magic, wazero's key, a digest of what
// follows, and the bytes of wazero's cache entry. The interpreter's has none,
// and loading it decodes the module.
const (
	fileMagic  = "wherry-wazero-1\n"
	fileHeader = len(fileMagic) + 32 + sha256.Size
)

// Serialize implements engine.Module.
func (m *Module) Serialize(w io.Writer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errClosed
	}
	sum := sha256.Sum256(m.entry.code)
	header := append([]byte(fileMagic), m.entry.key[:]...)
	if _, err := w.Write(append(header, sum[:]...)); err != nil {
		return err
	}
	_, err := w.Write(m.entry.code)
	return err
}

// Load implements engine.Engine. The code is read into memory; wazero cannot
// map it. The module's own bytes are needed too: wazero keeps types, data and
// names only there.
func (e *Engine) Load(path string, wasm func() ([]byte, error)) (engine.Module, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	incompatible := func(why string) (engine.Module, error) {
		return nil, fmt.Errorf("%w: %s %s", engine.ErrIncompatible, path, why)
	}
	if len(data) < fileHeader || string(data[:len(fileMagic)]) != fileMagic {
		return incompatible("is no compiled code of this release for wazero, or is damaged")
	}
	offered := entry{key: [32]byte(data[len(fileMagic):]), code: data[fileHeader:]}
	if sha256.Sum256(offered.code) != [32]byte(data[len(fileMagic)+32:]) {
		return incompatible("is damaged: its digest is wrong")
	}
	if offered.empty() != e.interprets() {
		return incompatible("is for wazero's interpreter or its compiler, and this is the other")
	}
	binary, err := wasm()
	if err != nil {
		return nil, err
	}
	return e.compile(context.Background(), binary, offered)
}
