//go:build tools

package docker

// What the stock client's program imports, so that go.mod and go.sum keep all
// that its build needs: a program itself can't be imported.
import (
	_ "github.com/docker/cli/cli-plugins/manager"
	_ "github.com/docker/cli/cli-plugins/socket"
	_ "github.com/docker/cli/cli/command/commands"
)
