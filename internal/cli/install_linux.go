package cli

import (
	"context"

	"github.com/docker/cli/cli"
	"github.com/docker/cli/cli/command"
	"github.com/spf13/cobra"

	"wherry/internal/install"
)

// installCommands are about other daemons on this machine, and talk to no
// engine of Wherry's.
func installCommands(docker command.Cli) []*cobra.Command {
	var o install.Options
	add := func(use, short string, verbs ...*cobra.Command) *cobra.Command {
		c := &cobra.Command{Use: use, Short: short, Args: cli.NoArgs, RunE: func(c *cobra.Command, args []string) error {
			return command.ShowHelp(docker.Err())(c, args)
		}}
		c.AddCommand(verbs...)
		return c
	}
	verb := func(use, short string, run func(context.Context, install.Options) error) *cobra.Command {
		c := &cobra.Command{Use: use, Short: short, Args: cli.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			o.Out = docker.Out()
			return run(c.Context(), o)
		}}
		return c
	}
	toDocker := verb("docker", "Let Docker Engine run WebAssembly images with Wherry", install.Docker)
	toContainerd := verb("containerd", "Let containerd, and Kubernetes over it, run WebAssembly images with Wherry", install.Containerd)
	for _, c := range []*cobra.Command{toDocker, toContainerd} {
		flags := c.Flags()
		flags.StringVar(&o.Shim, "shim", "", "Shim to install (default: the one beside this program)")
		flags.StringVar(&o.BinDir, "bin-dir", "", "Folder to put it in (default: one on the daemon's PATH)")
		flags.StringVar(&o.Config, "config", "", "The daemon's configuration file")
	}
	toDocker.Flags().StringVar(&o.Host, "docker-host", "", "Address of Docker's API")
	toDocker.Flags().BoolVar(&o.Yes, "yes", false, "Go ahead, also where images and containers disappear from view")

	var d install.DoctorOptions
	doctor := &cobra.Command{
		Use:   "doctor [OPTIONS] [IMAGE]",
		Short: "Find what keeps Docker Engine or containerd from running WebAssembly containers",
		Args:  cli.RequiresMaxArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				d.Image = args[0]
			}
			if install.Print(docker.Out(), install.Doctor(c.Context(), d)) {
				return cli.StatusError{StatusCode: 1}
			}
			return nil
		},
	}
	doctor.Flags().StringVar(&d.Host, "docker-host", "", "Address of Docker's API")
	doctor.Flags().StringVar(&d.Shim, "shim", "", "Shim to ask (default: the one beside this program)")

	return []*cobra.Command{
		add("install", "Let another daemon run WebAssembly images with Wherry", toDocker, toContainerd),
		add("uninstall", "Take back what install did",
			verb("docker", "Take Wherry out of Docker Engine", func(_ context.Context, o install.Options) error { return install.UninstallDocker(o) }),
			verb("containerd", "Take Wherry out of containerd", func(_ context.Context, o install.Options) error { return install.UninstallContainerd(o) })),
		doctor,
	}
}
