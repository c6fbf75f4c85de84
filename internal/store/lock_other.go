//go:build !unix

package store

import (
	"fmt"
	"os"

	"github.com/containerd/errdefs"
)

func lockFile(string) (*os.File, error) {
	return nil, fmt.Errorf("the embedded engine's image store needs Linux: %w", errdefs.ErrNotImplemented)
}

func isNoSpace(error) bool { return false }
