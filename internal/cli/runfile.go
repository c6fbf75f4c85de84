package cli

import (
	"github.com/docker/cli/cli/command"
	"github.com/spf13/cobra"
)

func runFiles(root *cobra.Command, docker command.Cli) {}
