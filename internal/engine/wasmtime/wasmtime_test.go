//go:build cgo && linux && (amd64 || arm64)

package wasmtime

import (
	"testing"

	"wherry/internal/engine"
	"wherry/internal/engine/enginetest"
)

var subject = enginetest.Subject{
	Open: func() (engine.Engine, error) { return New(), nil },
}

func TestMain(m *testing.M) { enginetest.Main(m, subject) }

func TestConformance(t *testing.T) { enginetest.Run(t, subject) }
