package build

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"wherry/internal/build/files"
)

// run runs a guest in the stage's files; what it changes becomes a layer.
func (s *stage) run(ctx context.Context, c *instructions.RunCommand) error {
	if len(c.FlagsUsed) > 0 {
		return invalid("RUN --%s is not built", c.FlagsUsed[0])
	}
	if len(c.Files) > 0 {
		return invalid("RUN with a here-document needs a shell, and a Wasm image has none; COPY a script and name the program that reads it")
	}
	if s.linux != "" || !s.wasm() && !s.runsWasm(c) {
		return s.refuseLinux()
	}
	args, err := s.command("RUN", c.CmdLine, c.PrependShell)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return invalid("RUN names no program")
	}
	if s.Runner == nil {
		return fmt.Errorf("RUN needs an engine, and this builder has none: %w", errdefs.ErrNotImplemented)
	}
	root, err := os.MkdirTemp(s.tmp, "run-")
	if err != nil {
		return err
	}
	if err := s.tree.WriteDir(root); err != nil {
		return err
	}
	code, err := s.Runner.Run(ctx, RunSpec{
		Root: root, Args: args, Env: s.runEnv(), Dir: path.Join("/", s.config.Config.WorkingDir), User: s.config.Config.User, Output: s.out,
	})
	if err != nil {
		return err
	}
	if code != 0 {
		return invalid("The command %q returned a non-zero code: %d", strings.Join(args, " "), code)
	}
	changed, gone, err := s.tree.Changes(root)
	if err != nil {
		return err
	}
	for _, p := range gone {
		s.tree.Remove(p)
	}
	for _, p := range slices.Sorted(maps.Keys(changed)) {
		s.tree.Replace(p, changed[p])
	}
	return s.layer(ctx, changed, gone, source(c))
}

// runEnv is the environment with the build arguments, the proxies included.
func (s *stage) runEnv() []string {
	env := slices.Clone(s.config.Config.Env)
	args := maps.Clone(s.args)
	for _, k := range proxyArgs {
		if v := s.Args[k]; v != nil {
			args[k] = *v
		}
	}
	for _, k := range slices.Sorted(maps.Keys(args)) {
		if !slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, k+"=") }) {
			env = append(env, k+"="+args[k])
		}
	}
	return env
}

// runsWasm tells whether a RUN in exec form names a Wasm file, as in an image
// that says Linux by mistake.
func (s *stage) runsWasm(c *instructions.RunCommand) bool {
	if c.PrependShell || len(c.CmdLine) == 0 {
		return false
	}
	_, n, err := s.tree.Resolve(path.Join("/", s.config.Config.WorkingDir, c.CmdLine[0]), true)
	return err == nil && n != nil && n.Type == files.File && strings.HasSuffix(c.CmdLine[0], ".wasm")
}

// refuseLinux says what to do instead.
func (s *stage) refuseLinux() error {
	base := s.linux
	if base == "" {
		base = "the base image"
	}
	return invalid("RUN would run Linux programs of %s, and Wherry runs Wasm only. Compile outside: `wherry build DIR` compiles a Go program, a Cargo package or C files; "+
		"or let Docker build this file: docker buildx build --platform=wasi/wasm --load .", base)
}
