package wazero

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"wherry/internal/engine"
	"wherry/internal/engine/signature"
)

// Instance is a wazero module instance.
type Instance struct {
	store    *Store
	sig      *signature.Signature
	module   api.Module
	imported []engine.Extern // what the resolver gave
}

var _ engine.Instance = (*Instance)(nil)

// extern is an export on its way to another instance.
type extern struct {
	store  *Store
	module api.Module
	name   string
	typ    engine.ExternType
}

// current is the extern's type with its size of this moment, where wazero
// tells it: it does for memories. A table's is the declared one, and wazero
// itself compares the real one.
func (x *extern) current() engine.ExternType {
	t := x.typ
	if t.Kind == engine.KindMemory {
		if m := x.module.ExportedMemory(x.name); m != nil {
			t.Min = uint64(m.Size() / pageSize)
		}
	}
	return t
}

// Extern implements engine.Instance. What the instance only hands on is given
// as what it imported.
func (in *Instance) Extern(name string) engine.Extern {
	i := in.sig.Export(name)
	if i < 0 {
		return nil
	}
	if from := in.sig.Reexports[i]; from >= 0 {
		return in.imported[from]
	}
	return &extern{store: in.store, module: in.module, name: name, typ: in.sig.Exports[i].Type}
}

// Memory implements engine.Instance.
func (in *Instance) Memory(name string) []byte {
	if in.store.runtime == nil {
		return nil
	}
	i := in.sig.Export(name)
	if i < 0 || in.sig.Exports[i].Type.Kind != engine.KindMemory {
		return nil
	}
	return bytesOf(in.module.ExportedMemory(name))
}

// Call implements engine.Instance.
func (in *Instance) Call(ctx context.Context, name string, params ...uint64) ([]uint64, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if in.store.runtime == nil {
		return nil, errClosed
	}
	i := in.sig.Export(name)
	if i < 0 || in.sig.Exports[i].Type.Kind != engine.KindFunc {
		return nil, fmt.Errorf("%w: function %q", engine.ErrNoExport, name)
	}
	typ := in.sig.Exports[i].Type.Func
	if err := typ.CheckParams(name, params); err != nil {
		return nil, err
	}
	stack := make([]uint64, max(engine.Slots(typ.Params), engine.Slots(typ.Results)))
	copy(stack, params)
	narrow(typ.Params).clear(stack)
	if err := in.call(i, stack); err != nil {
		return nil, in.store.finish(err)
	}
	stack = stack[:engine.Slots(typ.Results)]
	narrow(typ.Results).clear(stack)
	return stack, nil
}

// call calls export i. A host function that the instance hands on is called
// from here, since wazero would name the host's own module as its caller.
func (in *Instance) call(i int, stack []uint64) (err error) {
	if from := in.sig.Reexports[i]; from >= 0 {
		if f, ok := in.imported[from].(*engine.HostFunc); ok {
			defer func() {
				if v := recover(); v != nil {
					err = v.(*abort) // all that the adapter lets out
				}
			}()
			in.store.hostFunc(f)(context.Background(), in.module, stack)
			return nil
		}
	}
	return in.module.ExportedFunction(in.sig.Exports[i].Name).CallWithStack(context.Background(), stack)
}
