//go:build !linux

package cli

import (
	"github.com/docker/cli/cli/command"
	"github.com/spf13/cobra"
)

// installCommands are about daemons on this machine, which need Linux.
func installCommands(command.Cli) []*cobra.Command { return nil }
