package wazero

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"wherry/internal/engine"
)

// Store is a wazero runtime.
type Store struct {
	engine  *Engine
	runtime wazero.Runtime // nil once closed
	limits  engine.Limits
	modules []*Module // what was instantiated
	names   int       // counts the names of instances
	// memories are all that was allocated. wazero frees a memory when an
	// instance with it is closed, but forgets one whose start function failed.
	memories []experimental.LinearMemory

	caller caller // what the host function that now runs sees
}

var _ engine.Store = (*Store)(nil)

func newStore(e *Engine, r wazero.Runtime, l engine.Limits) *Store {
	return &Store{engine: e, runtime: r, limits: l}
}

// Close implements engine.Store.
func (s *Store) Close() error {
	if s.runtime == nil {
		return nil
	}
	err := s.runtime.Close(context.Background())
	for _, m := range s.modules {
		m.forget(s.runtime)
	}
	for _, m := range s.memories {
		m.Free()
	}
	s.runtime, s.modules, s.memories = nil, nil, nil
	return err
}

// name makes a name for an instance. Instances are found through the import
// resolver, never by name, but wazero wants names to differ.
func (s *Store) name() string {
	s.names++
	return fmt.Sprintf("#%d", s.names)
}

// Instantiate implements engine.Store.
func (s *Store) Instantiate(ctx context.Context, m engine.Module, resolve engine.Resolver) (_ engine.Instance, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	mod, ok := m.(*Module)
	if !ok {
		return nil, fmt.Errorf("wazero cannot instantiate a module of another engine (%T)", m)
	}
	if s.runtime == nil {
		return nil, errClosed
	}
	if err := s.fits(mod.sig); err != nil {
		return nil, fmt.Errorf("instantiate: %w", err)
	}
	compiled, err := mod.in(s.engine, s.runtime)
	if err != nil {
		return nil, err
	}
	if err := capTables(compiled, mod.sig.Share(s.limits).TableElements); err != nil {
		return nil, err
	}
	l, err := s.link(mod.sig.Imports, resolve)
	if err != nil {
		return nil, err
	}
	inst, err := s.instantiate(compiled, l.modules)
	if err != nil {
		return nil, fmt.Errorf("instantiate: %w", s.finish(err))
	}
	s.modules = append(s.modules, mod)
	return &Instance{store: s, sig: mod.sig, module: inst, imported: l.externs}, nil
}

// instantiate makes an instance whose imports come from the modules given by
// name. wazero panics where the memory allocator has nothing to give.
func (s *Store) instantiate(c wazero.CompiledModule, imports map[string]api.Module) (inst api.Module, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("wazero could not set the instance up: %v", v)
		}
	}()
	ctx := experimental.WithMemoryAllocator(context.Background(), experimental.MemoryAllocatorFunc(s.allocate))
	ctx = experimental.WithImportResolver(ctx, func(name string) api.Module { return imports[name] })
	config := wazero.NewModuleConfig().WithName(s.name()).WithStartFunctions()
	return s.runtime.InstantiateModule(ctx, c, config)
}

// errNotOurs is an extern of another store or engine.
var errNotOurs = errors.New("what was given for the import does not belong to this store")
