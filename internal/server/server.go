//go:build linux

package server

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"wherry/internal/api"
	"wherry/internal/buildinfo"
	"wherry/internal/daemon"
	"wherry/internal/folder"
)

const (
	// shimName is the program that runs a container; it lies beside this one or
	// on PATH.
	shimName = "containerd-shim-wherry-v1"
	// goodbye is how long requests may go on when the engine is told to end.
	// Containers go on in any case.
	goodbye = 5 * time.Second
)

// options are what `wherry daemon` hands over, all of it spelled out.
type options struct {
	dataRoot, runRoot, socket string
	level                     slog.Level
	readyFD                   int
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("wherryd", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.dataRoot, "data-root", "", "folder of images, containers and volumes")
	flags.StringVar(&o.runRoot, "run-root", "", "folder of what running containers need")
	flags.StringVar(&o.socket, "socket", "", "path of the socket to listen on")
	flags.TextVar(&o.level, "log-level", slog.LevelInfo, "lines to log: debug, info, warn or error")
	flags.IntVar(&o.readyFD, "ready-fd", -1, "descriptor to tell when the engine listens")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	for _, f := range []struct{ name, value string }{{"data-root", o.dataRoot}, {"run-root", o.runRoot}, {"socket", o.socket}} {
		if !filepath.IsAbs(f.value) {
			return options{}, fmt.Errorf("--%s must be an absolute path, it is %q: start the engine with `wherry daemon`", f.name, f.value)
		}
	}
	return o, nil
}

// Main runs an engine until SIGINT or SIGTERM and gives the exit code.
func Main(args []string) int {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	o, err := parse(args, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	ready := newReady(o.readyFD)
	if err == nil {
		err = serve(ctx, o, ready)
	}
	ready.say(err)
	if err != nil {
		fmt.Fprintln(os.Stderr, "wherry:", err)
		return 1
	}
	return 0
}

// serve runs an engine until ctx ends.
func serve(ctx context.Context, o options, ready *ready) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: o.level}))
	shim, err := findShim()
	if err != nil {
		return err
	}
	for _, dir := range []string{o.dataRoot, o.runRoot} {
		if err := folder.Own(dir); err != nil {
			return err
		}
	}
	// The lock comes first: who holds it may take a socket left behind away.
	listener, release, err := listen(o.socket)
	if err != nil {
		return err
	}
	defer release()
	d, err := daemon.New(ctx, daemon.Config{DataRoot: o.dataRoot, RunRoot: o.runRoot, ShimPath: shim, Logger: log})
	if err != nil {
		listener.Close()
		return err
	}
	defer d.Close()

	requests, endRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer endRequests()
	server := &http.Server{
		Handler:           api.NewServer(d, log),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("listening", "host", "unix://"+o.socket, "data", o.dataRoot, "version", buildinfo.Version, "pid", os.Getpid())
	ready.say(nil)

	select {
	case err := <-served:
		return fmt.Errorf("serve the API: %w", err)
	case <-ctx.Done():
	}
	log.Info("ending; containers go on")
	endRequests() // streams and waits
	end, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	if err := server.Shutdown(end); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop serving the API: %w", err)
	}
	return nil
}

// findShim looks beside this program, then on PATH.
func findShim() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", shimName, err)
	}
	beside := filepath.Join(filepath.Dir(self), shimName)
	if path, err := exec.LookPath(beside); err == nil {
		return path, nil
	}
	path, err := exec.LookPath(shimName)
	if err != nil {
		return "", fmt.Errorf("%s is needed to run containers, and is neither beside %s nor on PATH", shimName, self)
	}
	return filepath.Abs(path)
}
