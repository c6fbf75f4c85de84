//go:build linux

// Package hook runs the hooks of an OCI runtime specification: programs of the
// one who asked for the container, such as Docker's that wires its network.
//
// They are trusted as the specification is. The package must not know what a
// container is made of.
package hook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// maxOutput bounds what is kept of a hook's words for a message, in bytes.
const maxOutput = 4 << 10

// drain is how long a hook's own children may hold its output open once it has
// ended.
const drain = 2 * time.Second

// Check tells whether hooks can be run at all: a path is absolute and a timeout
// positive (OCI runtime-spec, config.md, "POSIX-platform Hooks").
func Check(hooks []specs.Hook) error {
	for _, h := range hooks {
		if !filepath.IsAbs(h.Path) {
			return fmt.Errorf("the hook %q is not an absolute path: %w", h.Path, errdefs.ErrInvalidArgument)
		}
		if h.Timeout != nil && *h.Timeout <= 0 {
			return fmt.Errorf("the hook %s has a timeout of %d s, wanted is more than 0: %w", h.Path, *h.Timeout, errdefs.ErrInvalidArgument)
		}
	}
	return nil
}

// Run runs hooks one after the other, each with the container's state on its
// standard input, and stops at the first that fails.
func Run(ctx context.Context, kind string, hooks []specs.Hook, state specs.State) error {
	if len(hooks) == 0 {
		return nil
	}
	input, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("tell hooks the container's state: %w", err)
	}
	for _, h := range hooks {
		if err := run(ctx, h, input); err != nil {
			return fmt.Errorf("the %s hook %s: %w", kind, h.Path, err)
		}
	}
	return nil
}

// RunAll runs hooks whose failure changes nothing any more, all of them, and
// tells what failed.
func RunAll(ctx context.Context, kind string, hooks []specs.Hook, state specs.State) error {
	var errs []error
	for _, h := range hooks {
		errs = append(errs, Run(ctx, kind, []specs.Hook{h}, state))
	}
	return errors.Join(errs...)
}

func run(ctx context.Context, h specs.Hook, input []byte) error {
	if h.Timeout != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, time.Duration(*h.Timeout)*time.Second,
			fmt.Errorf("it took longer than the %d s that it may", *h.Timeout))
		defer cancel()
	}
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, h.Path)
	if len(h.Args) > 0 {
		cmd.Args = h.Args
	}
	cmd.Env = h.Env
	if cmd.Env == nil {
		cmd.Env = []string{} // nil would be this process's own
	}
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &output, &output
	cmd.WaitDelay = drain
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	}
	if text := strings.TrimSpace(string(output.Bytes()[:min(output.Len(), maxOutput)])); text != "" {
		return fmt.Errorf("%w: %s", err, text)
	}
	return err
}
