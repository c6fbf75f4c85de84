package wazero

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"wherry/internal/engine"
)

// linked is what a module's imports resolve to.
type linked struct {
	externs []engine.Extern       // per import
	modules map[string]api.Module // per module name, as wazero wants it
}

// link resolves imports. wazero takes all imports of one module name from one
// instance, while our resolver answers import by import. Where a name has host
// functions only, as WASI does, a host module answers it; where anything comes
// from other instances, a small module that imports each piece and exports it
// under the wanted name does. wazero sees through such a module when it links,
// so calls cost nothing more.
func (s *Store) link(imports []engine.Import, resolve engine.Resolver) (linked, error) {
	l := linked{modules: make(map[string]api.Module)}
	groups := make(map[string]*group)
	var order []string
	for _, im := range imports {
		x, ok := resolve(im)
		if !ok {
			return l, &engine.ImportError{Import: im}
		}
		if err := s.check(im, x); err != nil {
			return l, err
		}
		l.externs = append(l.externs, x)
		g := groups[im.Module]
		if g == nil {
			g = &group{}
			groups[im.Module] = g
			order = append(order, im.Module)
		}
		if err := g.add(im, x); err != nil {
			return l, err
		}
	}
	for _, name := range order {
		m, err := s.provide(groups[name])
		if err != nil {
			return l, fmt.Errorf("imports of %q: %w", name, err)
		}
		l.modules[name] = m
	}
	return l, nil
}

// check compares what an import wants with what the resolver gave.
func (s *Store) check(im engine.Import, x engine.Extern) error {
	var found engine.ExternType
	switch x := x.(type) {
	case *engine.HostFunc:
		found = engine.ExternType{Kind: engine.KindFunc, Func: x.Type}
	case *extern:
		if x.store != s {
			return fmt.Errorf("import %q.%q: %w", im.Module, im.Name, errNotOurs)
		}
		found = x.current()
	default:
		return fmt.Errorf("import %q.%q: a %T cannot be imported", im.Module, im.Name, x)
	}
	if !engine.Importable(im.Type, found) {
		return &engine.ImportError{Import: im, Found: &found}
	}
	return nil
}

// group is the imports of one module name, each name once.
type group struct {
	names   []string
	types   []engine.ExternType
	externs []engine.Extern
	foreign bool // whether any is not a host function
}

func (g *group) add(im engine.Import, x engine.Extern) error {
	for i, name := range g.names {
		if name != im.Name {
			continue
		}
		if g.externs[i] == x || sameHostFunc(g.externs[i], x) {
			return nil
		}
		return fmt.Errorf("import %q.%q: wazero cannot give two things of one name", im.Module, im.Name)
	}
	g.names = append(g.names, im.Name)
	g.types = append(g.types, im.Type)
	g.externs = append(g.externs, x)
	if _, ok := x.(*engine.HostFunc); !ok {
		g.foreign = true
	}
	return nil
}

// sameHostFunc tells whether two answers of the resolver can pass for one. Go's
// linker imports a function once for each use of it, and a resolver may make
// a new HostFunc each time it is asked; of one name and type, they are alike.
func sameHostFunc(a, b engine.Extern) bool {
	f, ok := a.(*engine.HostFunc)
	g, also := b.(*engine.HostFunc)
	return ok && also && f.Type.Equal(g.Type)
}

// provide makes the instance that answers a group.
func (s *Store) provide(g *group) (api.Module, error) {
	host, err := s.hostModule(g)
	if err != nil || !g.foreign {
		return host, err
	}
	f := forwarder{}
	from := map[string]api.Module{"host": host}
	for i, x := range g.externs {
		im := engine.Import{Module: "host", Name: g.names[i], Type: g.types[i]}
		if x, ok := x.(*extern); ok {
			im = engine.Import{Module: x.module.Name(), Name: x.name, Type: x.current()}
			from[im.Module] = x.module
		}
		f.forward(im, g.names[i])
	}
	c, err := s.runtime.CompileModule(context.Background(), f.encode())
	if err != nil {
		return nil, err
	}
	return s.instantiate(c, from)
}

// hostModule makes the wazero host module of a group's host functions.
func (s *Store) hostModule(g *group) (api.Module, error) {
	b := s.runtime.NewHostModuleBuilder(s.name())
	for i, x := range g.externs {
		if f, ok := x.(*engine.HostFunc); ok {
			b.NewFunctionBuilder().
				WithGoModuleFunction(s.hostFunc(f), valueTypes(f.Type.Params), valueTypes(f.Type.Results)).
				WithName(g.names[i]).Export(g.names[i])
		}
	}
	c, err := b.Compile(context.Background())
	if err != nil {
		return nil, err
	}
	return s.instantiate(c, nil)
}

// valueTypes is the same encoding under wazero's name.
func valueTypes(ts []engine.ValueType) []api.ValueType {
	out := make([]api.ValueType, len(ts))
	for i, t := range ts {
		out[i] = api.ValueType(t)
	}
	return out
}
