package enginetest

import (
	"errors"
	"strings"
	"testing"

	"wherry/internal/engine"
)

func (s Subject) imports(t *testing.T) {
	e := s.open(t)
	m := compile(t, e, "imports")
	st := newStore(t, e, engine.Limits{})
	owner := func(name string) externs {
		in := instantiate(t, st, compile(t, e, name), nil)
		x := externs{}
		for _, export := range []string{"f", "m", "t", "g"} {
			x[export] = in.Extern(export)
		}
		return x
	}
	right, wrong := owner("right"), owner("wrong")
	instantiate(t, st, m, right)

	function := func(params, results []engine.ValueType) engine.Extern {
		return &engine.HostFunc{Type: funcType(params, results), Call: func(engine.Caller, []uint64) error {
			t.Error("a host function ran while linking failed")
			return nil
		}}
	}
	for _, c := range []struct {
		name string
		give engine.Extern
		want string
	}{
		{"f", nil, `unknown import "env"."f": the module wants a func (i32, i64) -> (f32), the host has nothing of that name`},
		{"m", nil, `unknown import "env"."m": the module wants a memory of 2 to 8 pages, the host has nothing of that name`},
		{"t", nil, `unknown import "env"."t": the module wants a table of funcref, 1 to 10, the host has nothing of that name`},
		{"g", nil, `unknown import "env"."g": the module wants a global mut i64, the host has nothing of that name`},
		{"f", function(types(engine.I32), types(engine.F32)), `import "env"."f" has the wrong type: the module wants a func (i32, i64) -> (f32), the host has a func (i32) -> (f32)`},
		{"f", wrong["f"], `import "env"."f" has the wrong type: the module wants a func (i32, i64) -> (f32), the host has a func (i32, i64) -> (f64)`},
		{"f", right["g"], `import "env"."f" has the wrong type: the module wants a func (i32, i64) -> (f32), the host has a global mut i64`},
		{"m", wrong["m"], `import "env"."m" has the wrong type: the module wants a memory of 2 to 8 pages, the host has a memory of at least 2 pages`},
		{"m", function(nil, nil), `import "env"."m" has the wrong type: the module wants a memory of 2 to 8 pages, the host has a func () -> ()`},
		{"t", wrong["t"], `import "env"."t" has the wrong type: the module wants a table of funcref, 1 to 10, the host has a table of funcref, 1 to 11`},
		{"g", wrong["g"], `import "env"."g" has the wrong type: the module wants a global mut i64, the host has a global i64`},
	} {
		x := externs{}
		for k, v := range right {
			x[k] = v
		}
		delete(x, c.name)
		if c.give != nil {
			x[c.name] = c.give
		}
		_, err := st.Instantiate(ctx, m, x.resolve)
		var ie *engine.ImportError
		if !errors.As(err, &ie) {
			t.Errorf("got %v, want an ImportError: %s", err, c.want)
		} else if ie.Error() != c.want {
			t.Errorf("got  %s\nwant %s", ie, c.want)
		}
	}
}

func (s Subject) sharing(t *testing.T) {
	e := s.open(t)
	st := newStore(t, e, engine.Limits{})
	whose := &engine.HostFunc{Type: funcType(nil, types(engine.I32)), Call: func(c engine.Caller, st []uint64) error {
		st[0] = uint64(c.Memory()[0])
		return nil
	}}
	owner := instantiate(t, st, compile(t, e, "owner"), externs{"whose": whose})
	x := externs{"host": &engine.HostFunc{Type: funcType(nil, types(engine.I32)), Call: func(_ engine.Caller, st []uint64) error {
		st[0] = 77
		return nil
	}}}
	for _, name := range []string{"memory", "table", "counter", "fixed", "add", "boom"} {
		if x[name] = owner.Extern(name); x[name] == nil {
			t.Fatalf("the owner has no extern %q", name)
		}
	}
	if owner.Extern("nothing") != nil {
		t.Error("there is an extern of a name that is not exported")
	}
	im := instantiate(t, st, compile(t, e, "importer"), x)

	wants(t, im, []uint64{'o'}, "first byte")
	call(t, im, "write", 'O')
	if got := string(owner.Memory("memory")[:5]); got != "Owner" {
		t.Errorf("the owner's memory holds %q, want %q", got, "Owner")
	}
	wants(t, im, []uint64{1}, "grow")
	if got := len(owner.Memory("memory")); got != 2*page {
		t.Errorf("after the importer grew the memory the owner has %d bytes, want %d", got, 2*page)
	}
	wants(t, im, []uint64{5}, "add", 2, 3)
	wants(t, im, []uint64{41}, "count")
	other := instantiate(t, st, compile(t, e, "importer"), x)
	wants(t, other, []uint64{42}, "count") // one global, not a copy
	wants(t, im, []uint64{1<<64 - 5}, "fixed")
	wants(t, im, []uint64{1}, "indirect", 0) // the owner's element
	wants(t, im, []uint64{2}, "indirect", 1) // and the importer's
	wants(t, im, []uint64{77}, "host")
	if trap := trapOf(t, im, "boom"); trap.Code != engine.TrapUnreachable || len(trap.Frames) < 2 {
		t.Errorf("a trap in the other instance: got %v with frames %v", trap, trap.Frames)
	}

	// A host function that an instance hands on sees who calls it.
	b := instantiate(t, st, compile(t, e, "borrower"), externs{"whose": owner.Extern("whose")})
	wants(t, b, []uint64{'b'}, "whose")
	wants(t, owner, []uint64{'O'}, "whose")
}

// foreign: nothing crosses from one store, or one engine's kind, to another.
func (s Subject) foreign(t *testing.T) {
	e := s.open(t)
	here, there := newStore(t, e, engine.Limits{}), newStore(t, e, engine.Limits{})
	right := instantiate(t, there, compile(t, e, "right"), nil)
	x := externs{"f": right.Extern("f"), "m": right.Extern("m"), "t": right.Extern("t"), "g": right.Extern("g")}
	if _, err := here.Instantiate(ctx, compile(t, e, "imports"), x.resolve); err == nil || !strings.Contains(err.Error(), "store") {
		t.Errorf("externs of another store: got %v, want a refusal", err)
	}
	x["f"] = "a string"
	if _, err := there.Instantiate(ctx, compile(t, e, "imports"), x.resolve); err == nil || !strings.Contains(err.Error(), "string") {
		t.Errorf("a string as an extern: got %v, want a refusal", err)
	}
	if _, err := here.Instantiate(ctx, alien{}, externs{}.resolve); err == nil || !strings.Contains(err.Error(), "another engine") {
		t.Errorf("a module of another engine: got %v, want a refusal", err)
	}
}

// alien is a module that no engine made.
type alien struct{ engine.Module }

// twice: a resolver may make a new HostFunc each time it is asked.
func (s Subject) twice(t *testing.T) {
	e := s.open(t)
	in, err := newStore(t, e, engine.Limits{}).Instantiate(ctx, compile(t, e, "twice"), func(im engine.Import) (engine.Extern, bool) {
		return &engine.HostFunc{Type: im.Type.Func, Call: func(_ engine.Caller, st []uint64) error {
			st[0] = 21
			return nil
		}}, true
	})
	if err != nil {
		t.Fatal(err)
	}
	wants(t, in, []uint64{42}, "sum")
}

// exceptions: caught here, caught in another instance, and caught nowhere.
func (s Subject) exceptions(t *testing.T) {
	e := s.open(t)
	st := newStore(t, e, engine.Limits{})
	thrower := instantiate(t, st, compile(t, e, "thrower"), nil)
	wants(t, thrower, []uint64{7}, "caught", 7)
	catcher := instantiate(t, st, compile(t, e, "catcher"), externs{
		"e": thrower.Extern("e"), "throw": thrower.Extern("throw"), "vector": thrower.Extern("vector"),
	})
	wants(t, catcher, []uint64{8}, "caught", 8)
	wants(t, catcher, []uint64{1, 2}, "vector")
	for range 2 {
		trap := trapOf(t, thrower, "throw", 9)
		if trap.Code != engine.TrapOther || !strings.Contains(trap.Detail, "exception") {
			t.Errorf("an exception that nothing catches: got %v", trap)
		}
	}
	wants(t, catcher, []uint64{10}, "caught", 10)
}
