package source

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/containerd/errdefs"
)

type golang struct{}

func (golang) name() string { return "go" }

func (golang) has(names []string) bool {
	for _, n := range names {
		if n == "go.mod" || strings.HasSuffix(n, ".go") && !strings.HasSuffix(n, "_test.go") {
			return true
		}
	}
	return false
}

func (golang) compile(ctx context.Context, dir, out string, log io.Writer) error {
	tool, err := exec.LookPath("go")
	if err != nil {
		return missing("it is a Go program and there is no go command", "install Go 1.24 or later (https://go.dev/dl)")
	}
	// CGO_ENABLED is off by itself for wasm; naming it keeps a CGO_ENABLED=1 of
	// the user's from being an error.
	env := []string{"GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "PWD=" + dir}
	name, err := run(ctx, dir, env, log, tool, "list", "-f", "{{.Name}}", ".")
	if err != nil {
		return err
	}
	if name := strings.TrimSpace(string(name)); name != "main" {
		return fmt.Errorf("its Go package is %q, wanted a program (package main); name the folder of the program: %w", name, errdefs.ErrInvalidArgument)
	}
	fmt.Fprintf(log, "compiling %s: GOOS=wasip1 GOARCH=wasm go build\n", dir)
	// Without paths and version control in it the same source gives the same
	// bytes.
	_, err = run(ctx, dir, env, log, tool, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, ".")
	return err
}
