package cli

import (
	"fmt"
	"strings"

	"github.com/docker/cli/cli"
	"github.com/docker/cli/cli/command"
	cliflags "github.com/docker/cli/cli/flags"
	"github.com/spf13/cobra"

	"wherry/internal/buildinfo"
)

// newRoot makes the command tree: docker/cli's verbs without those that nothing
// stands behind, and Wherry's own.
func newRoot(docker *command.DockerCli, engine *engine) *cobra.Command {
	root := &cobra.Command{
		Use:              "wherry [OPTIONS] COMMAND [ARG...]",
		Short:            "WebAssembly programs as containers",
		SilenceUsage:     true,
		SilenceErrors:    true,
		TraverseChildren: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknown(args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return command.ShowHelp(docker.Err())(cmd, args)
		},
		Version:               buildinfo.Version,
		DisableFlagsInUseLine: true,
		CompletionOptions:     cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetIn(docker.In())
	root.SetOut(docker.Out())
	root.SetErr(docker.Err())
	_, help := cli.SetupRootCommand(root)
	root.SetVersionTemplate("Wherry version {{.Version}}\n")
	root.Annotations = nil
	// Of docker's global options those remain that mean something here: there
	// are no contexts, and TLS is not spoken.
	root.ResetFlags()
	opts := &cliflags.ClientOptions{}
	flags := root.Flags()
	flags.StringVar(&opts.ConfigDir, "config", "", "Folder of the registry credentials and settings (default ~/.docker)")
	flags.BoolVarP(&opts.Debug, "debug", "D", false, "Say more of what is done")
	flags.StringVarP(&opts.LogLevel, "log-level", "l", "info", `Which messages to show ("debug", "info", "warn", "error", "fatal")`)
	flags.StringVarP(&engine.host, "host", "H", engine.host, "Engine to talk to instead of the embedded one (env WHERRY_HOST)")
	flags.BoolP("version", "v", false, "Print the version and quit")
	root.PersistentFlags().BoolP("help", "h", false, "Print usage")
	root.PersistentFlags().Lookup("help").Hidden = true

	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if engine.local() && engine.pathsErr != nil && talks(cmd) {
			return engine.pathsErr
		}
		opts.Hosts = []string{engine.address()}
		return docker.Initialize(opts, command.WithAPIClientOptions(engine.clientOptions()...))
	}

	for _, make := range registered {
		if c := make(docker); offered(c) {
			root.AddCommand(c)
		}
	}
	root.AddCommand(ownCommands(docker, engine)...)
	for verb, reason := range missing {
		c := &cobra.Command{Use: verb}
		refuse(c, reason)
		root.AddCommand(c)
	}
	root.SetHelpCommand(help)
	runFiles(root, docker)
	rename(root)
	return root
}

// talks tells whether a command may need the engine; its own side is all that
// the others need.
func talks(cmd *cobra.Command) bool {
	switch cmd.Name() {
	case "daemon", "init", "doctor", "install", "uninstall", "help", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
		return false
	}
	return true
}

// nouns are the management commands of docker/cli that Wherry has, and which
// of their verbs it lacks with the reason.
var nouns = map[string]map[string]string{
	"container": {"commit": noCommit},
	"image":     {"build": "", "import": noImport},
	"volume":    {"update": noSwarm},
	"system":    {"dial-stdio": ""},
	"network":   {"create": noNetworks, "connect": noNetworks, "disconnect": noNetworks},
}

// verbs are docker/cli's top-level commands that Wherry has, as they are.
var verbs = words(`attach cp create diff events exec export history images info inspect kill load login logout logs
	pause port ps pull push rename restart rm rmi run save start stats stop tag top unpause update version wait`)

// missing are docker/cli's top-level commands that are refused in one line.
var missing = map[string]string{
	"commit": noCommit, "import": noImport,
	"search": "search is not built: look on the registry's own site",
	"swarm":  noSwarm, "node": noSwarm, "service": noSwarm, "stack": noSwarm, "secret": noSwarm, "config": noSwarm,
	"plugin":     "plugins are not built",
	"checkpoint": "checkpoints are not built",
	"manifest":   "manifest is not built",
	"builder":    "builder is not built: wherry build builds images",
	"context":    "there are no contexts: set WHERRY_HOST to the address of another engine",
}

const (
	noCommit   = "commit is not built: make images with wherry build"
	noImport   = "import is not built: make images with wherry build, or load an archive with wherry load"
	noNetworks = "making networks is not built: containers use bridge, host or none (--network)"
	noSwarm    = "swarm is not built: Wherry is an engine for one machine"
)

func words(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

// offered decides about a top-level command of docker/cli and refuses what is
// not built in it.
func offered(c *cobra.Command) bool {
	name := c.Name()
	lacks, ok := nouns[name]
	if !ok {
		return verbs[name]
	}
	for _, sub := range c.Commands() {
		reason, ok := lacks[sub.Name()]
		switch {
		case !ok || sub.Name() == "dial-stdio": // ssh:// hosts run it
		case reason == "":
			c.RemoveCommand(sub)
		default:
			refuse(sub, reason)
		}
	}
	return true
}

// refuse hides a command and lets it answer with one line whatever follows it.
func refuse(c *cobra.Command, reason string) {
	for _, sub := range c.Commands() {
		c.RemoveCommand(sub)
	}
	c.Hidden = true
	c.DisableFlagParsing = true
	c.Args, c.Run = nil, nil
	c.PersistentPreRunE = func(*cobra.Command, []string) error { return nil }
	c.RunE = func(*cobra.Command, []string) error {
		return cli.StatusError{Status: reason, StatusCode: 125}
	}
}

// unknown is a verb that nobody has.
func unknown(verb string) error {
	return fmt.Errorf("unknown command: wherry %s\n\nRun 'wherry --help' for more information", verb)
}

// texts are what docker/cli's help says of Docker where Wherry is meant.
var texts = strings.NewReplacer("Manage Docker", "Manage the engine", "the Docker version", "version",
	"Docker objects", "containers, images and volumes", "docker ", "wherry ", "Docker daemon", "engine")

// rename lets help texts show wherry's name for its own commands.
func rename(c *cobra.Command) {
	c.Use, c.Short, c.Long = texts.Replace(c.Use), texts.Replace(c.Short), texts.Replace(c.Long)
	if a := c.Annotations["aliases"]; a != "" {
		c.Annotations["aliases"] = strings.ReplaceAll(a, "docker ", "wherry ")
	}
	c.Example = strings.ReplaceAll(c.Example, "docker ", "wherry ")
	for _, sub := range c.Commands() {
		rename(sub)
	}
}
