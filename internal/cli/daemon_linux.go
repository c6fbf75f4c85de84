package cli

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/docker/cli/cli"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// engineName is the program of the embedded engine; it lies beside wherry or
// on PATH.
const engineName = "wherryd"

type daemonOptions struct {
	dataRoot, runRoot, host, logLevel string
}

func newDaemonCommand(e *engine) *cobra.Command {
	var o daemonOptions
	cmd := &cobra.Command{
		Use:   "daemon [OPTIONS]",
		Short: "Run the embedded engine in the foreground",
		Long: "Run the embedded engine in the foreground. Other verbs start one by themselves where none runs;\n" +
			"containers outlive it, and the next one finds them again.",
		Args: cli.NoArgs,
		// The root's hook prepares an API client, which an engine has no use for.
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		RunE: func(*cobra.Command, []string) error {
			if err := o.complete(e); err != nil {
				return err
			}
			program, args, err := o.command()
			if err != nil {
				return err
			}
			// The engine takes this process's place: signals, a terminal and
			// whoever waits for it see one process.
			return fmt.Errorf("start %s: %w", program, unix.Exec(program, args, os.Environ()))
		},
		DisableFlagsInUseLine: true,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.dataRoot, "data-root", "", "Folder of images, containers and volumes (default "+e.paths.Data+")")
	flags.StringVar(&o.runRoot, "run-root", "", "Folder of what running containers need (default "+e.paths.Run+", or run in --data-root)")
	flags.StringVar(&o.host, "host", "", "Socket to listen on (default unix://"+e.paths.Socket+")")
	flags.StringVar(&o.logLevel, "log-level", "info", "Lines to log: debug, info, warn or error")
	return cmd
}

// complete fills in what was not given.
func (o *daemonOptions) complete(e *engine) error {
	if (o.dataRoot == "" || o.host == "") && e.pathsErr != nil {
		return e.pathsErr
	}
	if o.runRoot == "" {
		o.runRoot = e.paths.Run
		if o.dataRoot != "" { // not the default engine's: they must not share
			o.runRoot = filepath.Join(o.dataRoot, "run")
		}
	}
	if o.dataRoot == "" {
		o.dataRoot = e.paths.Data
	}
	if o.host == "" {
		o.host = "unix://" + e.paths.Socket
	}
	var err error
	if o.dataRoot, err = filepath.Abs(o.dataRoot); err != nil {
		return err
	}
	o.runRoot, err = filepath.Abs(o.runRoot)
	return err
}

// command is how the engine's program is started with these options.
func (o *daemonOptions) command() (program string, args []string, err error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return "", nil, fmt.Errorf("--log-level must be debug, info, warn or error, it is %q", o.logLevel)
	}
	socket, err := socketOf(o.host)
	if err != nil {
		return "", nil, err
	}
	if program, err = findProgram(engineName); err != nil {
		return "", nil, err
	}
	return program, []string{engineName, "--data-root", o.dataRoot, "--run-root", o.runRoot, "--socket", socket, "--log-level", o.logLevel}, nil
}

// findProgram looks beside this program, then on PATH.
func findProgram(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", name, err)
	}
	beside := filepath.Join(filepath.Dir(self), name)
	if path, err := exec.LookPath(beside); err == nil {
		return path, nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is needed to run the engine, and is neither beside %s nor on PATH", name, self)
	}
	return filepath.Abs(path)
}
