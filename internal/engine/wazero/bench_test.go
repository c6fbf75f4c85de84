package wazero

import (
	"testing"

	"wherry/internal/engine/enginetest"
)

func BenchmarkEngine(b *testing.B) { enginetest.Bench(b, compiler) }
