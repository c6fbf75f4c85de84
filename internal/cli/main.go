package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/docker/cli/cli"
	"github.com/docker/cli/cli/command"
	"github.com/docker/cli/cli/version"
	"github.com/sirupsen/logrus"

	"wherry/internal/buildinfo"
)

// signalled is why a verb's context ended.
type signalled struct{ os.Signal }

func (signalled) Error() string { return "" }

// Main runs one command line and gives the exit code, which is Docker's: the
// container's own for run, 125 where the engine refused, 126 and 127 where the
// program could not be started or found.
func Main(args []string) int {
	// Most commands live for milliseconds: let them end before the first
	// collection, which would be due at 4 MiB and costs a tenth of them.
	debug.SetGCPercent(400)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		cancel(signalled{<-signals})
		signal.Stop(signals) // the second one ends the program at once
	}()

	engine := findEngine()
	err := run(ctx, engine, args)
	return report(os.Stderr, engine, err, context.Cause(ctx))
}

// run builds the command tree over docker/cli's state and executes it. Tests
// give it other streams.
func run(ctx context.Context, engine *engine, args []string, streams ...command.CLIOption) error {
	version.PlatformName = "Wherry"
	version.Version = buildinfo.Version
	version.GitCommit, version.BuildTime = buildinfo.Commit, buildinfo.Time
	docker, err := command.NewDockerCli(append(streams, command.WithBaseContext(ctx))...)
	if err != nil {
		return err
	}
	engine.stderr = docker.Err()
	logrus.SetOutput(docker.Err())
	root := newRoot(docker, engine)
	root.SetArgs(args)
	defer engine.compiling.stop()
	return root.ExecuteContext(ctx)
}

// report prints an error once, in Wherry's name, and gives the exit code.
func report(stderr io.Writer, engine *engine, err, cause error) int {
	var s signalled
	if errors.As(err, &s) || err != nil && errors.As(cause, &s) && errdefs.IsCanceled(err) {
		if n, ok := s.Signal.(syscall.Signal); ok {
			return 128 + int(n)
		}
		return 1
	}
	if err == nil {
		return 0
	}
	code := 1
	var status cli.StatusError
	if errors.As(err, &status) && status.StatusCode != 0 {
		code = status.StatusCode
	}
	if code == 125 && strings.Contains(err.Error(), "exec format error") {
		code = 126 // docker's client does not know this one: no daemon of its own says so
	}
	text := err.Error()
	if engine.startErr != nil {
		text = engine.startErr.Error() // what the client makes of it says less
	}
	if text = inOurName(text); text != "" {
		if !strings.HasPrefix(text, "wherry: ") {
			text = "wherry: " + text
		}
		fmt.Fprintln(stderr, text)
	}
	return code
}

// ourNames turns what docker/cli's packages say of themselves into what is
// true here. Only whole phrases: "docker" alone may be a container's name.
var ourNames = strings.NewReplacer(
	"Run 'docker ", "Run 'wherry ",
	"; run 'docker ", "; run 'wherry ",
	"See 'docker ", "See 'wherry ",
	"failed to connect to the docker API at", "no engine answers at",
	"Cannot connect to the Docker daemon at", "No engine answers at",
	"Is the docker daemon running?", "Is it running?",
	"Error response from daemon: ", "",
	"error response from daemon: ", "",
)

func inOurName(text string) string {
	if strings.Contains(text, "rror response from daemon: ") {
		// The request was well-formed: how to write one is no help.
		text, _, _ = strings.Cut(text, "\n\nRun '")
	}
	if what, help, ok := strings.Cut(text, "\n\nRun '"); ok && !strings.Contains(what, "\n") {
		text = what + "; run '" + help
	}
	if rest, ok := strings.CutPrefix(text, "docker: "); ok {
		text = "wherry: " + rest
	}
	for _, word := range []string{"error: ", "Error: "} {
		text = strings.TrimPrefix(text, word)
	}
	return ourNames.Replace(text)
}
