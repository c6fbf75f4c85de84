package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/docker/cli/cli"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"wherry/internal/api"
	"wherry/internal/buildinfo"
	"wherry/internal/daemon"
)

const (
	// readyWord is what an engine started on demand says when it listens;
	// anything else is why it can't.
	readyWord = "ready"
	// shimName is the program that runs a container; it lies beside wherry or
	// on PATH.
	shimName = "containerd-shim-wherry-v1"
	// goodbye is how long requests may go on when the engine is told to end.
	// Containers go on in any case.
	goodbye = 5 * time.Second
)

type daemonOptions struct {
	dataRoot, runRoot, host, logLevel string
	readyFD                           int
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
		RunE: func(cmd *cobra.Command, _ []string) error {
			ready := newReady(o.readyFD)
			err := o.complete(e)
			if err == nil {
				err = serve(cmd.Context(), o, ready)
			}
			ready.say(err)
			return err
		},
		DisableFlagsInUseLine: true,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.dataRoot, "data-root", "", "Folder of images, containers and volumes (default "+e.paths.Data+")")
	flags.StringVar(&o.runRoot, "run-root", "", "Folder of what running containers need (default "+e.paths.Run+", or run in --data-root)")
	flags.StringVar(&o.host, "host", "", "Socket to listen on (default unix://"+e.paths.Socket+")")
	flags.StringVar(&o.logLevel, "log-level", "info", "Lines to log: debug, info, warn or error")
	flags.IntVar(&o.readyFD, "ready-fd", -1, "Descriptor to tell when the engine listens")
	_ = flags.MarkHidden("ready-fd") // there is such a flag: it was defined just above
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

// serve runs an engine until ctx ends.
func serve(ctx context.Context, o daemonOptions, ready *ready) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return fmt.Errorf("--log-level must be debug, info, warn or error, it is %q", o.logLevel)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	shim, err := findShim()
	if err != nil {
		return err
	}
	socket, err := socketOf(o.host)
	if err != nil {
		return err
	}
	for _, dir := range []string{o.dataRoot, o.runRoot} {
		if err := ownFolder(dir); err != nil {
			return err
		}
	}
	// The lock comes first: who holds it may take a socket left behind away.
	listener, release, err := listen(socket)
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
	log.Info("listening", "host", o.host, "data", o.dataRoot, "version", buildinfo.Version, "pid", os.Getpid())
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

// listen makes the socket, for this user alone. release gives the place free.
func listen(socket string) (_ net.Listener, release func(), err error) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the socket's folder: %w", err)
	}
	lock, err := os.OpenFile(socket+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("lock the socket: %w", err)
	}
	defer func() {
		if err != nil {
			lock.Close()
		}
	}()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, nil, fmt.Errorf("another engine listens on %s: stop it, or choose another --host and --data-root", socket)
	}
	if st, err := os.Lstat(socket); err == nil {
		if st.Mode()&os.ModeSocket == 0 {
			return nil, nil, fmt.Errorf("%s must be free for the engine's socket, a file of another kind is there: move it away", socket)
		}
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			return nil, nil, fmt.Errorf("something else answers on %s: choose another --host", socket)
		}
		if err := os.Remove(socket); err != nil {
			return nil, nil, fmt.Errorf("take the socket of an engine that ended away: %w", err)
		}
	}
	// Mode 0600 from the first moment; nothing else makes files yet.
	mask := unix.Umask(0o177)
	l, err := net.Listen("unix", socket)
	unix.Umask(mask)
	if err != nil {
		return nil, nil, fmt.Errorf("listen: %w", err)
	}
	return l, func() { lock.Close() }, nil
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

// ready is the pipe to the command line that started this engine, if one did.
type ready struct{ w io.WriteCloser }

func newReady(fd int) *ready {
	if fd < 3 {
		return &ready{}
	}
	unix.CloseOnExec(fd) // shims must not keep it open
	return &ready{os.NewFile(uintptr(fd), "ready")}
}

// say tells once that the engine listens, or why it doesn't.
func (r *ready) say(err error) {
	if r.w == nil {
		return
	}
	word := readyWord
	if err != nil {
		word = err.Error()
	}
	// The other side may have gone; the engine stays for the next one.
	_, _ = io.WriteString(r.w, word)
	r.w.Close()
	r.w = nil
}
