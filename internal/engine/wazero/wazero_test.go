package wazero

import (
	"os"
	"testing"

	"wherry/internal/engine"
	"wherry/internal/engine/enginetest"
)

// wazero has one word for an index beyond the table and a null element.
var codes = map[string]engine.TrapCode{"null": engine.TrapTableBounds}

var compiler = enginetest.Subject{
	Open: func() (engine.Engine, error) {
		e, err := New()
		return e, err
	},
	Codes:            codes,
	NoOverflowFrames: true,
	NoStackLimit:     true,
	Freezes:          true,
}

var interpreter = enginetest.Subject{
	Open: func() (engine.Engine, error) {
		e, err := NewInterpreter()
		return e, err
	},
	Codes:        codes,
	NoStackLimit: true,
}

func TestMain(m *testing.M) {
	s := compiler
	if os.Getenv("ENGINETEST_INTERPRETER") != "" {
		s = interpreter
	}
	enginetest.Main(m, s)
}

func TestConformance(t *testing.T) { enginetest.Run(t, compiler) }

func TestInterpreterConformance(t *testing.T) {
	t.Setenv("ENGINETEST_INTERPRETER", "1") // for the child of the looping guest
	enginetest.Run(t, interpreter)
}
