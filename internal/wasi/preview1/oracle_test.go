//go:build cgo && linux && (amd64 || arm64)

package preview1

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bytecodealliance/wasmtime-go/v44"

	"wherry/internal/engine/engines"
	"wherry/internal/wasi/host/tree"
)

// call makes a call; a guest that is ended by it is trapped.
func (w *world) call(name string, params ...uint64) errno {
	w.Helper()
	if len(params) != len(form(name, true).params) {
		w.Fatalf("%s with %d parameters", name, len(params))
	}
	e, err := w.try(name, params...)
	if err != nil {
		if w.name != "oracle" {
			w.Fatalf("%s: %s%v: %v", w.name, name, params, err)
		}
		return trapped
	}
	return e
}

// oracle is what makes worlds on wasmtime with its own WASI.
type oracle struct {
	engine *wasmtime.Engine
	module *wasmtime.Module
}

func newOracle(t testing.TB, wasm []byte) *oracle {
	t.Helper()
	o := &oracle{engine: wasmtime.NewEngine()}
	var err error
	if o.module, err = wasmtime.NewModule(o.engine, wasm); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *oracle) world(t testing.TB, dir string) *world {
	t.Helper()
	store, linker := wasmtime.NewStore(o.engine), wasmtime.NewLinker(o.engine)
	if err := linker.DefineWasi(); err != nil {
		t.Fatal(err)
	}
	c := wasmtime.NewWasiConfig()
	if err := c.PreopenDir(dir, "/", wasmtime.DIR_READ|wasmtime.DIR_WRITE, wasmtime.FILE_READ|wasmtime.FILE_WRITE); err != nil {
		t.Fatal(err)
	}
	store.SetWasi(c)
	in, err := linker.Instantiate(store, o.module)
	if err != nil {
		t.Fatal(err)
	}
	mem := in.GetExport(store, "memory").Memory()
	return &world{TB: t, name: "oracle", mem: mem.UnsafeData(store), try: func(export string, params ...uint64) (errno, error) {
		f := in.GetFunc(store, export)
		args := make([]any, len(params))
		for i, p := range f.Type(store).Params() {
			args[i] = int64(params[i])
			if p.Kind() == wasmtime.KindI32 {
				args[i] = int32(uint32(params[i]))
			}
		}
		v, err := f.Call(store, args...)
		if err != nil {
			return 0, err
		}
		return errno(v.(int32)), nil
	}}
}

// oracleCalls are the functions that wasmtime's own WASI has in the same form.
func oracleCalls() []string {
	return slices.DeleteFunc(everything(), func(name string) bool {
		return strings.HasPrefix(name, "sock_") && name != "sock_shutdown" || name == "epoll_oneoff" || name == "proc_exit" || name == "proc_raise"
	})
}

// worlds are a puppet on wasmtime's own WASI and one on each of our engines, on
// folders that are alike.
type worlds struct {
	testing.TB
	base   string
	oracle *oracle
	ours   []func(t testing.TB) *world
	all    []*world        // the oracle first
	seen   map[string]bool // of the known differences
	// end ends the present worlds.
	end func()
}

// reset makes folders and puppets anew.
func (ws *worlds) reset() {
	ws.Helper()
	if ws.end != nil {
		ws.end()
	}
	t := &scope{TB: ws.TB}
	ws.end = t.close
	ws.all = []*world{ws.oracle.world(t, folderOf(t, filepath.Join(ws.base, "oracle")))}
	for _, make := range ws.ours {
		ws.all = append(ws.all, make(t))
	}
}

func newWorlds(t *testing.T) *worlds {
	t.Helper()
	wasm := puppet(true, oracleCalls()...)
	ws := &worlds{TB: t, base: inMemory(t), oracle: newOracle(t, wasm), seen: map[string]bool{}}
	shapes := []string{"own", "overlay", "mount"}
	for i, name := range engines.Names() {
		e, err := engines.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		m, err := e.Compile(t.Context(), wasm)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		ws.ours = append(ws.ours, func(t testing.TB) *world {
			dir, upper := filepath.Join(ws.base, name), filepath.Join(ws.base, name+"-upper")
			if err := os.RemoveAll(upper); err != nil {
				t.Fatal(err)
			}
			config, _ := places[shapes[i]](folderOf(t, dir), upper)
			config.NoDevices = true
			root, err := tree.New(config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { root.Close() })
			null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { null.Close() })
			fd := int(null.Fd())
			h, err := New(Config{Stdin: fd, Stdout: fd, Stderr: fd, Root: root})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { h.Close() })
			return newWorld(t, e, m, h)
		})
	}
	t.Cleanup(func() { ws.end() })
	return ws
}

// compare does something in every world. What differs from the oracle must be
// known. It tells whether it succeeded anywhere.
func (ws *worlds) compare(call, what string, do func(w *world) (errno, string)) (done bool) {
	ws.Helper()
	theirs, detail := do(ws.all[0])
	done = theirs == ok
	for _, w := range ws.all[1:] {
		e, d := do(w)
		done = done || e == ok
		key := ""
		if e != theirs {
			key = fmt.Sprintf("%s %d→%d", call, theirs, e)
		} else if e == ok && d != detail {
			key = call + " differs"
		}
		if key == "" {
			continue
		}
		if known[key] == "" {
			ws.Errorf("%s %s on %s: %s %q, the oracle's is %q", call, what, w.name, key, d, detail)
		}
		ws.seen[key] = true
	}
	return done
}

// TestOracle makes the same calls on wasmtime's own WASI and on ours, on every
// engine, and compares the answers.
func TestOracle(t *testing.T) {
	ws := newWorlds(t)
	ws.reset()
	ws.paths()
	ws.descriptors()
	for _, key := range slices.Sorted(maps.Keys(known)) {
		if !ws.seen[key] {
			t.Errorf("%q is in the list of known differences, and is none any more", key)
		}
	}
}
