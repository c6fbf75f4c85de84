package signature

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"wherry/internal/engine"
	"wherry/internal/engine/enginetest"
)

// guests are modules with every kind of import and export.
var guests = []string{"borrower", "catcher", "host", "importer", "imports", "memory", "owner", "right", "start", "thrower", "traps", "twice", "values", "wrong"}

func describe(s *Signature) string {
	var b strings.Builder
	for _, im := range s.Imports {
		b.WriteString("import " + im.Module + "." + im.Name + " " + im.Type.String() + "\n")
	}
	for i, ex := range s.Exports {
		b.WriteString("export " + ex.Name + " " + ex.Type.String())
		if from := s.Reexports[i]; from >= 0 {
			b.WriteString(" = import " + s.Imports[from].Name)
		}
		b.WriteString("\n")
	}
	for _, m := range s.Memories {
		b.WriteString("own " + m.String() + "\n")
	}
	for _, m := range s.Tables {
		b.WriteString("own " + m.String() + "\n")
	}
	return b.String()
}

func TestParse(t *testing.T) {
	for guest, want := range map[string]string{
		"owner": `import env.whose func () -> (i32)
export memory memory of 1 to 4 pages
export table table of funcref, at least 3
export counter global mut i32
export fixed global i64
export add func (i32, i32) -> (i32)
export boom func () -> ()
export whose func () -> (i32) = import whose
own memory of 1 to 4 pages
own table of funcref, at least 3
`,
		"catcher": `import thrower.e tag
import thrower.throw func (i32) -> ()
import thrower.vector global v128
export caught func (i32) -> (i32)
export vector func () -> (v128)
`,
	} {
		s, err := Parse(enginetest.Guest(t, guest))
		if err != nil {
			t.Errorf("%s: %v", guest, err)
		} else if got := describe(s); got != want {
			t.Errorf("%s:\ngot\n%swant\n%s", guest, got, want)
		}
	}
}

// TestParseTypes reads types of later proposals from bytes written by hand:
// (rec (type $a (sub (struct (field (mut i16) (ref null $a)))) (array i8)))
// (type (func (param (ref null $a) (ref null func) anyref v128))) and an
// imported function of it, a table with an initial value, a 64-bit memory with
// one-byte pages, a global of (ref.i31 (i32.const 1)).
func TestParseTypes(t *testing.T) {
	wasm := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, body string) {
		wasm = append(append(wasm, id, byte(len(body))), body...)
	}
	section(1, "\x02"+
		"\x4e\x02\x50\x00\x5f\x02\x77\x01\x63\x00\x00\x5e\x78\x00"+
		"\x60\x04\x63\x00\x63\x70\x6e\x7b\x00")
	section(2, "\x01\x01m\x01f\x00\x02")
	section(4, "\x01\x40\x00\x70\x00\x02\xd0\x70\x0b")
	section(5, "\x01\x0d\x01\x80\x80\x80\x80\x80\x02\x00")
	section(6, "\x01\x64\x6c\x00\x41\x01\xfb\x1c\x0b")
	section(7, "\x02\x01g\x03\x00\x01m\x02\x00")
	s, err := Parse(wasm)
	if err != nil {
		t.Fatal(err)
	}
	want := `import m.f func (ref, funcref, ref, v128) -> ()
export g global ref
export m memory of 1 to 68719476736 pages
own memory of 1 to 68719476736 pages
own table of funcref, at least 2
`
	if got := describe(s); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestCodec(t *testing.T) {
	for _, guest := range guests {
		s, err := Parse(enginetest.Guest(t, guest))
		if err != nil {
			t.Fatal(err)
		}
		data := s.Append(nil)
		back, err := Decode(data)
		if err != nil {
			t.Errorf("%s: %v", guest, err)
			continue
		}
		if describe(back) != describe(s) || !reflect.DeepEqual(back.Exports, s.Exports) {
			t.Errorf("%s: got\n%swant\n%s", guest, describe(back), describe(s))
		}
		for cut := range data {
			if _, err := Decode(data[:cut]); err == nil {
				t.Errorf("%s: %d of %d bytes were taken for a whole", guest, cut, len(data))
			}
		}
	}
}

func TestFits(t *testing.T) {
	s := &Signature{
		Memories: []engine.ExternType{{Kind: engine.KindMemory, Min: 3}},
		Tables:   []engine.ExternType{{Kind: engine.KindTable, Min: 5}},
	}
	for _, c := range []struct {
		limits engine.Limits
		want   string
	}{
		{engine.Limits{}, ""},
		{engine.Limits{MemoryBytes: 3 << 16, TableElements: 5}, ""},
		{engine.Limits{MemoryBytes: 3<<16 - 1}, "the module's memory begins with 3 pages of 64 KiB, the limit is 196607 bytes"},
		{engine.Limits{TableElements: 4}, "the module's table begins with 5 elements, the limit is 4"},
	} {
		got := ""
		if err := s.Fits(c.limits); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: got %q, want %q", c.limits, got, c.want)
		}
	}
}

// TestSound: claims beyond the bytes are refused, and such debug names dropped.
func TestSound(t *testing.T) {
	const head = "\x00asm\x01\x00\x00\x00"
	names := head + "\x00\x0b\x04name\x01\x04\xff\xff\xff\x07" + "\x00\x02\x01x"
	for wasm, want := range map[string]string{
		head:                                   head,
		head + "\x0b\x06\x01\x01\x03abc":       head + "\x0b\x06\x01\x01\x03abc",
		names:                                  head + "\x00\x02\x01x",
		head + "\x00\x09\x04name\x00\x02\x01m": head + "\x00\x09\x04name\x00\x02\x01m",
		head + "\x09\x05\xff\xff\xff\xff\x07":  "",
		head + "\x09\x08\x01\x01\x00\xff\xff\xff\xff\x07":     "",
		head + "\x0a\x06\x01\x04\x01\xd1\x86\x03":             "",
		head + "\x0a\x09\x01\x07\x01\xff\xff\xff\x07\x7f\x0b": "",
		head + "\x0b\x08\x01\x01\xff\xff\xff\xff\x07a":        "",
	} {
		got, err := Sound([]byte(wasm))
		if want == "" {
			if !errors.Is(err, engine.ErrInvalidModule) {
				t.Errorf("%q: got %v, want ErrInvalidModule", wasm, err)
			}
			continue
		}
		if err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v, want %q", wasm, got, err, want)
		}
	}
	for _, guest := range guests {
		wasm := enginetest.Guest(t, guest)
		if got, err := Sound(wasm); err != nil || &got[0] != &wasm[0] {
			t.Errorf("%s: %v, or it was copied", guest, err)
		}
	}
}

// FuzzParse: no input makes the parser panic or take more than its share, and
// what it accepts goes through the codec.
func FuzzParse(f *testing.F) {
	for _, guest := range guests {
		f.Add(enginetest.Guest(f, guest))
	}
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x01\x06\xff\xff\xff\xff\x0f\x60"))
	f.Fuzz(func(t *testing.T, wasm []byte) {
		s, err := Parse(wasm)
		if err != nil {
			if !errors.Is(err, engine.ErrInvalidModule) {
				t.Errorf("got %v, want ErrInvalidModule", err)
			}
			return
		}
		back, err := Decode(s.Append(nil))
		if err != nil || describe(back) != describe(s) {
			t.Errorf("the codec gave %v, %v", back, err)
		}
		if sound, err := Sound(wasm); err == nil && len(sound) > len(wasm) {
			t.Errorf("%d bytes became %d", len(wasm), len(sound))
		} else if err != nil && !errors.Is(err, engine.ErrInvalidModule) {
			t.Errorf("unclassified: %v", err)
		}
	})
}

// FuzzDecode: the file of compiled code is trusted, but may be damaged.
func FuzzDecode(f *testing.F) {
	for _, guest := range guests {
		s, err := Parse(enginetest.Guest(f, guest))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(s.Append(nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Decode(data)
		if err != nil {
			return
		}
		if back, err := Decode(s.Append(nil)); err != nil || describe(back) != describe(s) {
			t.Errorf("got %v, %v", back, err)
		}
	})
}
