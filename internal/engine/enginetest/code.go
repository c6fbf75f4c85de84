package enginetest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"wherry/internal/engine"
)

func (s Subject) invalid(t *testing.T) {
	e := s.open(t)
	good := Guest(t, "values")
	damaged := bytes.Clone(good)
	damaged[len(damaged)/2] ^= 0xff
	for name, wasm := range map[string][]byte{
		"empty":       nil,
		"text":        []byte("(module)"),
		"ELF":         []byte("\x7fELF\x02\x01\x01\x00"),
		"version":     []byte("\x00asm\x02\x00\x00\x00"),
		"component":   []byte("\x00asm\x0d\x00\x01\x00"),
		"cut short":   good[:len(good)-3],
		"damaged":     damaged,
		"bad section": []byte("\x00asm\x01\x00\x00\x00\x01\xff"),
		// A function that returns i32 and leaves nothing: valid in form only.
		"ill typed": []byte("\x00asm\x01\x00\x00\x00\x01\x05\x01\x60\x00\x01\x7f\x03\x02\x01\x00\x0a\x04\x01\x02\x00\x0b"),
	} {
		m, err := e.Compile(ctx, wasm)
		if err == nil {
			m.Close()
		}
		if !errors.Is(err, engine.ErrInvalidModule) {
			t.Errorf("%s: got %v, want ErrInvalidModule", name, err)
		} else if strings.Contains(err.Error(), "\n") || len(err.Error()) < len(engine.ErrInvalidModule.Error())+10 {
			t.Errorf("%s: the error should be a line that says where: %q", name, err)
		}
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := e.Compile(over, good); !errors.Is(err, context.Canceled) {
		t.Errorf("a compilation with a cancelled context: got %v", err)
	}
}

func (s Subject) signature(t *testing.T) {
	e := s.open(t)
	m := compile(t, e, "imports")
	var got []string
	for _, im := range m.Imports() {
		got = append(got, im.Module+"."+im.Name+" "+im.Type.String())
	}
	want := "env.f func (i32, i64) -> (f32); env.m memory of 2 to 8 pages; env.t table of funcref, 1 to 10; env.g global mut i64"
	if strings.Join(got, "; ") != want {
		t.Errorf("imports:\ngot  %s\nwant %s", strings.Join(got, "; "), want)
	}
	got = nil
	for _, ex := range compile(t, e, "owner").Exports() {
		got = append(got, ex.Name+" "+ex.Type.String())
	}
	want = "memory memory of 1 to 4 pages; table table of funcref, at least 3; counter global mut i32; fixed global i64; " +
		"add func (i32, i32) -> (i32); boom func () -> (); whose func () -> (i32)"
	if strings.Join(got, "; ") != want {
		t.Errorf("exports:\ngot  %s\nwant %s", strings.Join(got, "; "), want)
	}
}

// save compiles a guest and writes its code to a file.
func (s Subject) save(t *testing.T, name string) string {
	t.Helper()
	e := s.open(t)
	var b bytes.Buffer
	if err := compile(t, e, name).Serialize(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "code")
	if err := os.WriteFile(path, b.Bytes(), 0o400); err != nil {
		t.Fatal(err)
	}
	return path
}

func source(t *testing.T, name string) func() ([]byte, error) {
	calls := 0
	return func() ([]byte, error) {
		if calls++; calls > 1 {
			t.Error("the module's bytes were asked for twice")
		}
		return Guest(t, name), nil
	}
}

// load: from a read-only file in a read-only folder, in an engine that never
// compiled the module.
func (s Subject) load(t *testing.T) {
	path := s.save(t, "host")
	if err := os.Chmod(filepath.Dir(path), 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Dir(path), 0o700)
	e := s.open(t)
	m, err := e.Load(path, source(t, "host"))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Imports()) != 7 || m.Imports()[0].Type.Func.String() != mixType.String() {
		t.Errorf("the loaded module imports %v", m.Imports())
	}
	x := hostStubs()
	x.answer("sum", func(c engine.Caller, st []uint64) error {
		st[0] = uint64(c.Memory()[17])
		return nil
	})
	// Twice: with another stack the code must be carried to another engine.
	for _, l := range []engine.Limits{{}, {StackBytes: 512 << 10}} {
		in := instantiate(t, newStore(t, e, l), m, x)
		wants(t, in, []uint64{2}, "sum")
	}
	var again bytes.Buffer
	if err := m.Serialize(&again); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); !bytes.Equal(b, again.Bytes()) {
		t.Error("a loaded module does not serialize to what it was loaded from")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("loading left files behind: %v", entries)
	}
}

func (s Subject) loadDamaged(t *testing.T) {
	good, err := os.ReadFile(s.save(t, "values"))
	if err != nil {
		t.Fatal(err)
	}
	e := s.open(t)
	change := func(at int, b byte) []byte {
		d := bytes.Clone(good)
		d[at] ^= b
		return d
	}
	for name, data := range map[string][]byte{
		"empty":        {},
		"a word":       []byte("hello"),
		"wasm":         Guest(t, "values"),
		"no beginning": good[1:],
		"bad magic":    change(0, 1),
		"cut by one":   good[:len(good)-1],
		"cut in half":  good[:len(good)/2],
		"grown":        append(bytes.Clone(good), 0),
		"bad end":      change(len(good)-1, 0x80),
	} {
		path := filepath.Join(t.TempDir(), "code")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := e.Load(path, source(t, "values"))
		if err == nil {
			m.Close()
		}
		if !errors.Is(err, engine.ErrIncompatible) {
			t.Errorf("%s: got %v, want ErrIncompatible", name, err)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than a line: %q", name, err)
		}
	}
	if _, err := e.Load(filepath.Join(t.TempDir(), "none"), source(t, "values")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: got %v", err)
	}
}

func (s Subject) fingerprint(t *testing.T) {
	a, b := s.open(t), s.open(t)
	f := a.Fingerprint()
	if f != b.Fingerprint() || f != a.Fingerprint() {
		t.Errorf("two engines of one configuration have fingerprints %q and %q", f, b.Fingerprint())
	}
	if !strings.HasPrefix(f, a.Name()+"-") || strings.ContainsAny(f, "/\\ \x00") || len(f) > 100 || strings.HasSuffix(f, "unknown") {
		t.Errorf("%q is no name for a folder", f)
	}
}

// concurrent: engines and modules are shared by goroutines, stores are not.
func (s Subject) concurrent(t *testing.T) {
	e := s.open(t)
	shared := compile(t, e, "values")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			m := shared
			if i%2 == 1 {
				var err error
				if m, err = e.Compile(ctx, Guest(t, "values")); err != nil {
					t.Error(err)
					return
				}
				defer m.Close()
			}
			st, err := e.NewStore(engine.Limits{})
			if err != nil {
				t.Error(err)
				return
			}
			defer st.Close()
			in, err := st.Instantiate(ctx, m, externs{}.resolve)
			if err != nil {
				t.Error(err)
				return
			}
			if r, err := in.Call(ctx, "count", 1000); err != nil || r[0] != 1000 {
				t.Errorf("got %v, %v", r, err)
			}
		})
	}
	wg.Wait()
}

// closed: an instance outlives its module, nothing outlives a store, and
// closing twice is no harm.
func (s Subject) closed(t *testing.T) {
	e := s.open(t)
	m, err := e.Compile(ctx, Guest(t, "values"))
	if err != nil {
		t.Fatal(err)
	}
	st, err := e.NewStore(engine.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	in := instantiate(t, st, m, nil)
	for range 2 {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	wants(t, in, []uint64{5}, "count", 5)
	if _, err := st.Instantiate(ctx, m, externs{}.resolve); err == nil {
		t.Error("a closed module was instantiated")
	}
	if err := m.Serialize(&bytes.Buffer{}); err == nil {
		t.Error("a closed module was serialized")
	}
	for range 2 {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := in.Call(ctx, "count", 5); err == nil {
		t.Error("an instance of a closed store was called")
	}
	if in.Memory("memory") != nil {
		t.Error("a closed store's memory is still given out")
	}
	done, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := done.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := done.Compile(ctx, Guest(t, "values")); err == nil {
		t.Error("a closed engine compiled")
	}
	if _, err := done.NewStore(engine.Limits{}); err == nil {
		t.Error("a closed engine made a store")
	}
}
