package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	task "github.com/containerd/containerd/api/runtime/task/v2"
	"google.golang.org/protobuf/proto"

	"wherry/internal/shim/bundle"
)

// Options say which shim to start, for which container.
type Options struct {
	// Program is the shim's path.
	Program string
	// Namespace is containerd's notion of a tenant; empty is "wherry".
	Namespace string
	// ID is the container's; empty is the bundle folder's name.
	ID string
	// Bundle is the folder with config.json.
	Bundle string
	// Address is the engine's own socket. The shim's sockets lie in the folder
	// "s" beside it; nobody needs to listen there.
	Address string
	// Debug makes the shim log more.
	Debug bool
}

func (o Options) withDefaults() Options {
	if o.Namespace == "" {
		o.Namespace = "wherry"
	}
	if o.ID == "" {
		o.ID = filepath.Base(o.Bundle)
	}
	return o
}

// command makes the shim's command line and environment as containerd does
// (pkg/shim.Command and core/runtime/v2/binary.go).
func (o Options) command(ctx context.Context, action ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"-namespace", o.Namespace, "-address", o.Address, "-publish-binary", self, "-id", o.ID}
	if o.Debug {
		args = append(args, "-debug")
	}
	cmd := exec.CommandContext(ctx, o.Program, append(args, action...)...)
	cmd.Dir = o.Bundle
	cmd.Env = append(os.Environ(),
		"GOMAXPROCS=2",
		"MAX_SHIM_VERSION=2",
		"TTRPC_ADDRESS=", // the engine uses Wait; events have nobody to go to
		"GRPC_ADDRESS="+o.Address,
		"NAMESPACE="+o.Namespace,
	)
	cmd.SysProcAttr = ownGroup()
	return cmd, nil
}

// Start starts a shim for the bundle, which must hold config.json, and connects
// to it. For a container of a pod that already has one it is that.
func Start(ctx context.Context, o Options) (*Shim, error) {
	o = o.withDefaults()
	cmd, err := o.command(ctx, "start")
	if err != nil {
		return nil, fmt.Errorf("start the shim: %w", err)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(stderr.String()); text != "" {
			return nil, fmt.Errorf("start the shim: %s", text)
		}
		return nil, fmt.Errorf("start the shim %s: %w", o.Program, err)
	}
	var params struct {
		Version  int    `json:"version"`
		Address  string `json:"address"`
		Protocol string `json:"protocol"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &params); err != nil {
		return nil, fmt.Errorf("start the shim: it answered %q: %w", stdout.String(), err)
	}
	if params.Version != 2 || params.Protocol != "ttrpc" {
		return nil, fmt.Errorf("start the shim: it speaks %s version %d, wanted ttrpc version 2", params.Protocol, params.Version)
	}
	return connect(ctx, o.Bundle, o.ID, params.Address)
}

// Connect connects to the shim that serves a bundle, for example after the
// engine was restarted. A shim that is dead gives an error; see [Delete].
func Connect(ctx context.Context, dir string) (*Shim, error) {
	address, err := os.ReadFile(filepath.Join(dir, bundle.Address))
	if err != nil {
		return nil, fmt.Errorf("connect to the shim: %w", err)
	}
	return connect(ctx, dir, filepath.Base(dir), string(address))
}

// Delete cleans up behind a shim that died: it kills what is left of the
// container and tells how that ended, 137 if nobody knows better.
func Delete(ctx context.Context, o Options) (bundle.ExitStatus, error) {
	o = o.withDefaults()
	cmd, err := o.command(ctx, "-bundle", o.Bundle, "delete")
	if err != nil {
		return bundle.ExitStatus{}, fmt.Errorf("clean up behind the shim: %w", err)
	}
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
		}
		return bundle.ExitStatus{}, fmt.Errorf("clean up behind the shim: %w", err)
	}
	var resp task.DeleteResponse
	if err := proto.Unmarshal(out, &resp); err != nil {
		return bundle.ExitStatus{}, fmt.Errorf("clean up behind the shim: %w", err)
	}
	return withReason(o.Bundle, resp.ExitStatus, resp.ExitedAt.AsTime()), nil
}

// withReason completes an exit status from exit.json.
func withReason(dir string, code uint32, at time.Time) bundle.ExitStatus {
	st := bundle.ExitStatus{Code: int(code), ExitedAt: at}
	var file bundle.ExitStatus
	if bundle.Read(dir, bundle.Exit, &file) == nil && file.Code == st.Code {
		st.Reason, st.OutOfMemory = file.Reason, file.OutOfMemory
	}
	return st
}
