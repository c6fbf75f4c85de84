package daemon

import "log/slog"

// Config says where an embedded engine keeps its things and what it runs.
type Config struct {
	// DataRoot holds what must survive a reboot: images, containers, volumes,
	// compiled code.
	DataRoot string
	// RunRoot holds what must not: the bundles of running containers. It may
	// be on a tmpfs.
	RunRoot string
	// ShimPath is the shim's program.
	ShimPath string
	// Logger gets the engine's own lines; nil is slog's default.
	Logger *slog.Logger
}
