// Package engines chooses an engine by the name that users write.
//
// It is the one place that knows which engines a build has: wasmtime where cgo
// is on and the archive covers the platform, wazero everywhere.
package engines

import (
	"fmt"
	"strings"

	"github.com/containerd/errdefs"

	"wherry/internal/engine"
	"wherry/internal/engine/wazero"
)

// choice is an engine of this build.
type choice struct {
	name string
	open func() (engine.Engine, error)
}

// Names lists the engines of this build, the default first.
func Names() []string {
	names := make([]string, len(choices))
	for i, c := range choices {
		names[i] = c.name
	}
	return names
}

// Open makes the engine of that name; "" is the default. An unknown name is an
// errdefs.ErrNotFound that lists the known ones.
func Open(name string) (engine.Engine, error) {
	if name == "" {
		return choices[0].open()
	}
	for _, c := range choices {
		if c.name == name {
			return c.open()
		}
	}
	return nil, fmt.Errorf("no engine %q in this build, it has %s: %w", name, strings.Join(Names(), " and "), errdefs.ErrNotFound)
}

func openWazero() (engine.Engine, error) {
	e, err := wazero.New()
	if err != nil {
		return nil, err
	}
	return e, nil
}
