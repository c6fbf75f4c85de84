package cli

import (
	"fmt"

	"github.com/docker/cli/cli"
	"github.com/docker/cli/cli/command"
	"github.com/spf13/cobra"
)

// ownCommands are the verbs that docker doesn't have, or not so.
func ownCommands(docker command.Cli, engine *engine) []*cobra.Command {
	return append([]*cobra.Command{
		newBuildCommand(docker),
		newInitCommand(),
		newDaemonCommand(engine),
		newEnvCommand(docker, engine),
	}, installCommands(docker)...)
}

// newEnvCommand prints what lets stock clients find the engine. It starts it,
// because they can't.
func newEnvCommand(docker command.Cli, engine *engine) *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: `Print the variables that point docker and other clients here: eval "$(wherry env)"`,
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if engine.local() {
				conn, err := engine.dial(cmd.Context(), "", "")
				if err != nil {
					return err
				}
				conn.Close()
			}
			_, err := fmt.Fprintf(docker.Out(), "export DOCKER_HOST=%s\n", quote(engine.address()))
			return err
		},
		DisableFlagsInUseLine: true,
	}
}
