package daemon

import (
	"io"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/registry"
)

// Filters are a list call's filters: key to the values any of which match.
type Filters map[string][]string

// CreateOptions is a request to create a container.
type CreateOptions struct {
	// Name is the wanted name without a slash; empty picks one.
	Name string
	// Platform is the wanted platform as the user wrote it, such as
	// "wasi/wasm32"; empty takes what the image has.
	Platform string
	Request  container.CreateRequest
}

// StopOptions tell how to end a container.
type StopOptions struct {
	// Signal is sent first; empty is the container's own stop signal, SIGTERM
	// by default.
	Signal string
	// Timeout is how many seconds to wait before SIGKILL; nil is the
	// container's own, 10 by default; negative waits without end.
	Timeout *int
}

// RemoveOptions tell how to remove a container.
type RemoveOptions struct {
	// Force kills it first when it runs.
	Force bool
	// Volumes removes its anonymous volumes too.
	Volumes bool
}

// ListOptions choose containers for a list.
type ListOptions struct {
	All     bool
	Limit   int
	Size    bool
	Filters Filters
}

// ImageListOptions choose images for a list.
type ImageListOptions struct {
	All, Manifests, SharedSize bool
	Filters                    Filters
}

// LogsOptions choose lines of a container's log.
type LogsOptions struct {
	Stdout, Stderr, Follow bool
	// Tail is how many lines from the end; negative means all.
	Tail int
	// Since and Until bound the lines' times; zero means no bound.
	Since, Until time.Time
}

// LogLine is a line of a container's log, or a part of a long one.
type LogLine struct {
	// Stream is "stdout" or "stderr".
	Stream string
	Time   time.Time
	// Line holds the bytes as written, with the newline if there was one.
	Line []byte
}

// AttachOptions choose what an attached client gets.
type AttachOptions struct {
	Stdin, Stdout, Stderr bool
	// Logs sends the log so far first; Stream then follows.
	Logs, Stream bool
}

// Streams is an attached client's side of the streams. Stdout and Stderr may
// be the same writer where the container has a terminal.
type Streams struct {
	// Stdin ends with io.EOF when the client closed its half; nil if not
	// attached.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// ExtractOptions tell how to unpack an archive into a container.
type ExtractOptions struct {
	NoOverwriteDirNonDir, CopyUIDGID bool
}

// BuildOptions is a request to build an image (POST /build).
type BuildOptions struct {
	Dockerfile string
	Tags       []string
	BuildArgs  map[string]*string
	Labels     map[string]string
	Target     string
	Platform   string
	NoCache    bool
	Pull       bool
	Quiet      bool
	Auth       map[string]registry.AuthConfig
}
