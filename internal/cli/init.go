package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/docker/cli/cli"
	"github.com/docker/cli/cli/command"
	"github.com/spf13/cobra"

	"wherry/internal/build/scaffold"
)

// newInitCommand writes a program to start from. It needs neither engine nor
// network.
func newInitCommand(docker command.Cli) *cobra.Command {
	languages := strings.Join(scaffold.Languages(), "|")
	return &cobra.Command{
		Use:   "init " + languages + " DIR",
		Short: "Begin a program: a small HTTP service that works, with its Dockerfile",
		Args:  cli.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := scaffold.Write(args[0], args[1])
			if err != nil {
				return err
			}
			for _, f := range files {
				fmt.Fprintln(docker.Err(), filepath.Join(args[1], f))
			}
			return nil
		},
		DisableFlagsInUseLine: true,
	}
}
