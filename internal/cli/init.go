package cli

import (
	"strings"

	"github.com/docker/cli/cli"
	"github.com/spf13/cobra"

	"wherry/internal/build/scaffold"
)

// newInitCommand writes a program to start from. It needs neither engine nor
// network.
func newInitCommand() *cobra.Command {
	languages := strings.Join(scaffold.Languages(), "|")
	return &cobra.Command{
		Use:   "init " + languages + " DIR",
		Short: "Begin a program: a small HTTP service that works, with its Dockerfile",
		Args:  cli.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			_, err := scaffold.Write(args[0], args[1])
			return err
		},
		DisableFlagsInUseLine: true,
	}
}
