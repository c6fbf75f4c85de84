package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"

	"wherry/internal/shim/bundle"
)

// Walls asks a shim's program which walls it can put up on this machine. It
// starts the program once and no container.
func Walls(ctx context.Context, program string) (bundle.Walls, error) {
	cmd := exec.CommandContext(ctx, program, bundle.WallsCommand)
	cmd.Dir = "/"
	cmd.SysProcAttr = ownGroup()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(stderr.String()); text != "" {
			return bundle.Walls{}, fmt.Errorf("ask %s for its walls: %s", program, text)
		}
		return bundle.Walls{}, fmt.Errorf("ask %s for its walls: %w", program, err)
	}
	var w bundle.Walls
	if err := json.Unmarshal(stdout.Bytes(), &w); err != nil {
		return bundle.Walls{}, fmt.Errorf("ask %s for its walls: it answered %q: %w", program, stdout.String(), err)
	}
	return w, nil
}
