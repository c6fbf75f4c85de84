package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/moby/moby/client"

	"wherry/internal/buildinfo"
)

// engine is the one that this command line talks to: the user's embedded one,
// which is started when nothing answers on its socket, or the one that
// WHERRY_HOST or --host names, which is not.
//
// DOCKER_HOST and DOCKER_CONTEXT don't count: `eval "$(wherry env)"` sets the
// first for stock clients, and a wherry that followed it would lose the
// engine it is to start when that is down; a context that names Docker Engine
// must not make wherry drive Docker.
type engine struct {
	host  string // as WHERRY_HOST has it; "" is the embedded one
	paths paths
	// pathsErr is why there is no embedded engine; it matters only where that
	// is asked for.
	pathsErr  error
	stderr    io.Writer
	compiling *compiling

	once sync.Once
	// startErr is why the embedded engine could not be started, if it was tried.
	startErr error
}

func findEngine() *engine {
	e := &engine{host: os.Getenv("WHERRY_HOST"), stderr: os.Stderr}
	e.paths, e.pathsErr = findPaths(os.Getenv, os.Getuid(), os.TempDir())
	e.compiling = &compiling{engine: e}
	return e
}

// local tells whether the engine is the embedded one.
func (e *engine) local() bool { return e.host == "" }

// clientOptions are the API client's. Call it when --host has been read.
func (e *engine) clientOptions() []client.Opt {
	opts := []client.Opt{
		client.WithUserAgent("wherry/" + buildinfo.Version),
		client.WithHTTPRequestHook(e.compiling.requested),
		client.WithHTTPResponseHook(e.compiling.answered),
	}
	if e.local() {
		opts = append(opts, client.WithDialContext(e.dial))
	}
	return opts
}

// address is the engine's for clients.
func (e *engine) address() string {
	if e.local() {
		return "unix://" + e.paths.Socket
	}
	return e.host
}

// dial connects to the embedded engine for the API client and starts it where
// nothing listens. So exactly the verbs that talk to an engine start one.
func (e *engine) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	conn, err := e.connect(ctx)
	if err == nil || !nobodyListens(err) {
		return conn, err
	}
	e.once.Do(func() { e.startErr = e.start() })
	if e.startErr != nil {
		return nil, e.startErr
	}
	return e.connect(ctx)
}

func (e *engine) connect(ctx context.Context) (net.Conn, error) {
	if e.pathsErr != nil {
		return nil, e.pathsErr
	}
	return (&net.Dialer{}).DialContext(ctx, "unix", e.paths.Socket)
}

// nobodyListens tells a missing engine from one that can't be reached.
func nobodyListens(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// lastLine is the end of a log file, for an engine that died without a word.
func lastLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const tail = 4096
	if st, err := f.Stat(); err == nil && st.Size() > tail {
		if _, err := f.Seek(-tail, io.SeekEnd); err != nil {
			return ""
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, tail))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

// notStarted is the one line for an engine that could not be started.
func notStarted(reason, log string) error {
	reason = strings.TrimSpace(reason)
	if reason == "" {
		if reason = lastLine(log); reason == "" {
			reason = "it ended without a word"
		}
	}
	return fmt.Errorf("the engine did not start: %s (its log: %s)", reason, log)
}
