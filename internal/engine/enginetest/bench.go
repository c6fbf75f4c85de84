package enginetest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"wherry/internal/engine"
)

// Bench measures what a container's start and its system calls cost of an
// engine: "host call" is a guest's call of a Go function with three
// parameters that looks at the guest's memory.
func Bench(b *testing.B, s Subject) {
	b.Run("host call", s.benchHostCall)
	b.Run("call", s.benchCall)
	b.Run("open", s.benchOpen)
	b.Run("load and instantiate", s.benchLoad)
}

func sysFunc(c engine.Caller, stack []uint64) error {
	stack[0] = uint64(c.Memory()[stack[2]])
	return nil
}

var sysType = funcType(types(engine.I32, engine.I64, engine.I32), types(engine.I32))

func (s Subject) benchHostCall(b *testing.B) {
	in := s.guest(b, "hostcall", externs{"f": &engine.HostFunc{Type: sysType, Call: sysFunc}})
	b.ReportAllocs()
	b.ResetTimer()
	call(b, in, "run", uint64(b.N))
}

func (s Subject) benchCall(b *testing.B) {
	in := s.guest(b, "values", nil)
	b.ReportAllocs()
	for b.Loop() {
		call(b, in, "count", 1)
	}
}

func (s Subject) benchOpen(b *testing.B) {
	for b.Loop() {
		e, err := s.Open()
		if err != nil {
			b.Fatal(err)
		}
		st, err := e.NewStore(engine.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		st.Close()
		e.Close()
	}
}

func (s Subject) benchLoad(b *testing.B) {
	e := s.open(b)
	var code bytes.Buffer
	if err := compile(b, e, "hostcall").Serialize(&code); err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "code")
	if err := os.WriteFile(path, code.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	x := externs{"f": &engine.HostFunc{Type: sysType, Call: sysFunc}}
	for b.Loop() {
		m, err := e.Load(path, func() ([]byte, error) { return Guest(b, "hostcall"), nil })
		if err != nil {
			b.Fatal(err)
		}
		st, err := e.NewStore(engine.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		instantiate(b, st, m, x)
		st.Close()
		m.Close()
	}
}
