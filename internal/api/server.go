package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"

	"wherry/internal/buildinfo"
	"wherry/internal/daemon"
)

// The versions of the Docker Engine API that this server speaks. A client
// sends the lower of its own and what /_ping says.
const (
	MaxVersion = "1.51"
	MinVersion = "1.44"
)

// Backend is all that the routes need of the daemon.
type Backend interface {
	ContainerBackend
	ImageBackend
	VolumeBackend
	SystemBackend
}

var _ Backend = (*daemon.Daemon)(nil)

// Server answers API requests. Make one with NewServer.
type Server struct {
	backend Backend
	log     *slog.Logger
	routes  router
}

// NewServer serves the API over a backend. log gets a line for each request
// that failed inside; nil is slog's default.
func NewServer(b Backend, log *slog.Logger) *Server {
	if log == nil {
		log = slog.Default()
	}
	s := &Server{backend: b, log: log}
	s.routes.add(s.systemRoutes()...)
	s.routes.add(s.containerRoutes()...)
	s.routes.add(s.archiveRoutes()...)
	s.routes.add(s.streamRoutes()...)
	s.routes.add(s.execRoutes()...)
	s.routes.add(s.imageRoutes()...)
	s.routes.add(s.buildRoutes()...)
	s.routes.add(s.volumeRoutes()...)
	s.routes.add(networkRoutes()...)
	s.routes.add(unbuiltRoutes()...)
	return s
}

// ServeHTTP answers one request. Every path works with a version in front
// (/v1.51/info) and without (/info).
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Server", "Wherry/"+buildinfo.Version+" ("+runtime.GOOS+")")
	h.Set("Api-Version", MaxVersion)
	h.Set("Docker-Experimental", "false")
	// Clients shape their requests by this, for instance how they parse --device
	// and -v. Wherry takes Linux's forms on every system.
	h.Set("Ostype", "linux")

	path, err := stripVersion(r.URL.Path)
	if err == nil {
		var handle handler
		var vars vars
		if handle, vars, err = s.routes.find(r.Method, path); err == nil {
			err = handle(w, r, vars)
		}
	}
	if err != nil {
		s.fail(w, r, err)
	}
}

// fail answers with the error, unless the answer began before it came up.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(err)
	if status >= http.StatusInternalServerError && status != http.StatusNotImplemented && r.Context().Err() == nil {
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	if errors.Is(err, errAnswered) {
		return
	}
	writeError(w, status, err)
}

// stripVersion takes a leading /vX.Y off and checks it.
func stripVersion(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "/v")
	if !ok {
		return path, nil
	}
	version, rest, _ := strings.Cut(rest, "/")
	minor, ok := minorOf(version)
	if !ok {
		return path, nil // such as /volumes
	}
	lowest, _ := minorOf(MinVersion)
	highest, _ := minorOf(MaxVersion)
	switch {
	case minor < lowest:
		return "", fmt.Errorf("client version %s is too old. Minimum supported API version is %s, please upgrade your client to a newer version: %w",
			version, MinVersion, errdefs.ErrInvalidArgument)
	case minor > highest:
		return "", fmt.Errorf("client version %s is too new. Maximum supported API version is %s: %w",
			version, MaxVersion, errdefs.ErrInvalidArgument)
	}
	return "/" + rest, nil
}

// minorOf is 51 for "1.51", and more than any real one for "2.0".
func minorOf(version string) (int, bool) {
	major, minor, ok := strings.Cut(version, ".")
	if !ok {
		return 0, false
	}
	m, err := strconv.ParseUint(major, 10, 16)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(minor, 10, 16)
	if err != nil {
		return 0, false
	}
	return (int(m)-1)<<16 + int(n), true
}
