package spec

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/daemon/record"
)

// Exec is a further process in a container.
type Exec struct {
	Args, Env []string
	// User and Cwd are the container's where they are empty.
	User, Cwd string
	Terminal  bool
}

// NewExec makes the process of an exec. p.User is whom its user is.
func NewExec(c *record.Container, e Exec, p Places) (*specs.Process, error) {
	own, config := *c, *c.Config
	own.Config = &config
	own.Path, own.Args = e.Args[0], e.Args[1:]
	config.Tty = e.Terminal
	config.Env = slices.Concat(c.Config.Env, e.Env)
	if e.User != "" {
		config.User = e.User
	}
	if e.Cwd != "" {
		config.WorkingDir = e.Cwd
	}
	return process(&own, p)
}
