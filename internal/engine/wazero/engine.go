// Package wazero runs guests on wazero, the engine in pure Go: for builds
// without cgo and for the CPUs that wasmtime's archive does not cover. Where
// wazero has no compiler for the CPU, its interpreter runs instead.
//
// What it cannot do, and nothing here can mend: a guest's stack always has
// wazero's own bound, whatever Limits.StackBytes says: it doubles from 10 KB until
// it has passed 50 MB, and so ends at 84 MB (in the interpreter at 2,000 frames); a looping guest cannot be preempted, so that
// a garbage collection in the same process waits for it and everything else
// with it. Nothing on which liveness depends may share its process.
//
// The package knows nothing of WASI, images or containers.
package wazero

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"wherry/internal/engine"
)

// Name is the engine's name as users write it.
const Name = "wazero"

// Version is the wazero release in go.mod; a test compares them.
const Version = "1.12.0"

// features are all that wazero takes, but threads: a container is one thread,
// and preview 1 has no way to start another.
const features = api.CoreFeaturesV2 |
	experimental.CoreFeaturesTailCall |
	experimental.CoreFeaturesExtendedConst |
	experimental.CoreFeaturesExceptionHandling |
	experimental.CoreFeaturesTypedFunctionReferences

// Engine is wazero. A wazero.Runtime is a store: it has the names and the type
// ids of its instances. Compiled code is shared by all runtimes of an engine
// through one wazero.CompilationCache.
type Engine struct {
	config wazero.RuntimeConfig
	cache  wazero.CompilationCache
	code   *codeCache

	mu     sync.Mutex
	closed bool
	// compiler is the runtime that modules are compiled in. The next store
	// takes it over, since decoding a module again in another one costs tens
	// of milliseconds.
	compiler wazero.Runtime

	fingerprint func() string
}

var _ engine.Engine = (*Engine)(nil)

// New makes the engine with the compiler for this CPU, or the interpreter
// where there is none.
func New() (*Engine, error) { return open(wazero.NewRuntimeConfig()) }

// NewInterpreter makes the engine with the interpreter. It is some 200 times
// slower than native code and is what New gives on CPUs without a compiler.
func NewInterpreter() (*Engine, error) { return open(wazero.NewRuntimeConfigInterpreter()) }

func open(config wazero.RuntimeConfig) (*Engine, error) {
	e := &Engine{cache: wazero.NewCompilationCache()}
	var err error
	if e.code, err = hook(e.cache); err != nil {
		return nil, err
	}
	// Without DWARF: frames here have no source lines, and reading them back
	// costs wazero two system calls an entry.
	e.config = config.WithCoreFeatures(features).WithCompilationCache(e.cache).WithDebugInfoEnabled(false)
	e.fingerprint = sync.OnceValue(e.probe)
	return e, nil
}

// Name implements engine.Engine.
func (e *Engine) Name() string { return Name }

// Fingerprint implements engine.Engine.
func (e *Engine) Fingerprint() string { return e.fingerprint() }

// probe compiles the empty module to learn the key under which wazero would
// cache it: a digest over the module, wazero's format and the CPU's features.
// An interpreter has no such key.
func (e *Engine) probe() string {
	prefix := fmt.Sprintf("%s-%s-%s-%s", Name, Version, runtime.GOOS, runtime.GOARCH)
	m, err := e.compile(context.Background(), []byte("\x00asm\x01\x00\x00\x00"), entry{})
	if err != nil {
		return prefix + "-unknown" // a closed engine
	}
	defer m.Close()
	if m.entry.empty() {
		return prefix + interpreterSuffix
	}
	return fmt.Sprintf("%s-%x", prefix, m.entry.key[:8])
}

// Compile implements engine.Engine.
func (e *Engine) Compile(ctx context.Context, wasm []byte) (engine.Module, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return e.compile(ctx, wasm, entry{})
}

// NewStore implements engine.Engine.
func (e *Engine) NewStore(l engine.Limits) (engine.Store, error) {
	l = l.WithDefaults()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errClosed
	}
	r := e.compiler
	if e.compiler = nil; r == nil {
		r = e.newRuntime()
	}
	return newStore(e, r, l), nil
}

func (e *Engine) newRuntime() wazero.Runtime {
	return wazero.NewRuntimeWithConfig(context.Background(), e.config)
}

// Close implements engine.Engine.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	if e.compiler != nil {
		if err := e.compiler.Close(context.Background()); err != nil {
			return err
		}
	}
	return e.cache.Close(context.Background())
}

// interprets tells whether the interpreter runs.
func (e *Engine) interprets() bool { return strings.HasSuffix(e.Fingerprint(), interpreterSuffix) }

const interpreterSuffix = "-interpreter"
