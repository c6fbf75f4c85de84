package source

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/errdefs"

	"wherry/internal/module"
)

// language compiles folders of one language.
type language interface {
	name() string
	// has tells whether names, the files right in a folder, are such a source.
	has(names []string) bool
	// compile writes the program to the file out.
	compile(ctx context.Context, dir, out string, log io.Writer) error
}

var languages = []language{golang{}, rust{}, clang{}}

// detect finds the folder's language. A C file beside a Go module or a Cargo
// package belongs to it.
func detect(dir string) (language, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	var found []language
	for _, l := range languages {
		if l.has(names) && (len(found) == 0 || l.name() != "c") {
			found = append(found, l)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("%s has nothing to build %s from: wanted a Go program, a Cargo package, C files, or a Dockerfile that copies something else: %w",
			dir, Product, errdefs.ErrInvalidArgument)
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("%s holds both a Go program and a Cargo package: build %s yourself, or give each a folder: %w",
		dir, Product, errdefs.ErrInvalidArgument)
}

// compileWith runs the toolchain and looks at what it made.
func compileWith(ctx context.Context, l language, o Options) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "wherry-build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, Product)
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := l.compile(ctx, dir, out, o.Log); err != nil {
		return nil, fmt.Errorf("compiling %s: %w", o.Dir, err)
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	info, err := module.InspectBytes(wasm)
	if err == nil {
		err = info.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("what %s's toolchain made of %s does not run: %w", l.name(), o.Dir, err)
	}
	return wasm, nil
}

func hasSuffix(names []string, suffixes ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(n, s) })
	})
}

// run runs a tool; what it writes goes to log, and its answer is its standard
// output. That the tool failed is said in one line, below its own words.
func run(ctx context.Context, dir string, env []string, log io.Writer, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, log
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("%s %s: %w", filepath.Base(name), args[0], err)
	}
	return stdout.Bytes(), nil
}

// missing is the error for a toolchain that isn't there.
func missing(what, cure string) error {
	return fmt.Errorf("%s; %s: %w", what, cure, errdefs.ErrUnavailable)
}
