package cli

import (
	_ "unsafe" // go:linkname

	"github.com/docker/cli/cli/command"
	"github.com/spf13/cobra"

	// Each package puts its commands on the list below.
	_ "github.com/docker/cli/cli/command/container"
	_ "github.com/docker/cli/cli/command/image"
	_ "github.com/docker/cli/cli/command/network"
	_ "github.com/docker/cli/cli/command/registry"
	_ "github.com/docker/cli/cli/command/system"
	_ "github.com/docker/cli/cli/command/volume"
)

// registered is docker/cli's list of commands. Its exported way in, package
// cli/command/commands, links every command that docker has: with swarm's and
// compose's parsers a start takes twice as long (14 ms against 7 before main,
// measured on two cores) and the program has 13 MB more. The packages above
// are the ones with verbs that Wherry has.
//
// The version of docker/cli is pinned, and TestVerbs fails where the list has
// moved.
//
//go:linkname registered github.com/docker/cli/internal/commands.commands
var registered []func(command.Cli) *cobra.Command
