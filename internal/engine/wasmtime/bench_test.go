//go:build cgo && linux && (amd64 || arm64)

package wasmtime

import (
	"testing"

	"wherry/internal/engine/enginetest"
)

func BenchmarkEngine(b *testing.B) { enginetest.Bench(b, subject) }
