//go:build linux

package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/registry"
	"github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/build"
	"wherry/internal/daemon/durable"
	"wherry/internal/daemon/name"
	"wherry/internal/daemon/spec"
	"wherry/internal/shim/bundle"
	"wherry/internal/store"
)

// ImageBuild makes an image of a Dockerfile and its context, and writes the
// classic builder's JSON lines.
func (d *Daemon) ImageBuild(ctx context.Context, o BuildOptions, tar io.Reader, w io.Writer) error {
	tell := progress(w)
	if o.Quiet {
		tell = nil
	}
	res, err := build.Run(ctx, build.Options{
		Context: tar, Dockerfile: o.Dockerfile, Tags: o.Tags, Args: o.BuildArgs, Labels: o.Labels, Target: o.Target,
		Platform: o.Platform, NoCache: o.NoCache, AlwaysPull: o.Pull, Quiet: o.Quiet,
		Progress: w, Runner: runner{d}, TempDir: d.scratch(),
		Pull: func(ctx context.Context, ref, platform string) error {
			_, err := d.store.Pull(ctx, store.PullOptions{Ref: ref, Platform: platform, Auth: authFor(o.Auth, ref), Progress: tell})
			return err
		},
	}, d.store)
	if err != nil {
		return diskWords("build", err)
	}
	for _, n := range res.Names {
		d.imageEvent(events.ActionTag, res.ID.String(), familiar(store.Image{Name: n}, n))
	}
	return nil
}

// authFor finds the credentials of a name's registry among those that came
// with a build.
func authFor(all map[string]registry.AuthConfig, ref string) *registry.AuthConfig {
	n, err := store.ParseName(ref)
	if err != nil {
		return nil
	}
	for _, server := range registryNames(n.Name()) {
		if a, ok := all[server]; ok {
			return &a
		}
	}
	return nil
}

// scratch is where half-done things lie; the next start empties it.
func (d *Daemon) scratch() string { return filepath.Join(d.cfg.DataRoot, "tmp") }

// runner runs the guests of RUN, each in a container that leaves nothing but
// what it changed.
type runner struct{ d *Daemon }

var _ build.Runner = runner{}

// Run implements [build.Runner].
func (r runner) Run(ctx context.Context, s build.RunSpec) (code int, err error) {
	d, id := r.d, name.NewID()
	upper, err := os.MkdirTemp(d.scratch(), "run-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, durable.RemoveAll(upper)) }()
	dir := d.bundle(id)
	config, err := runSpec(s, upper, d.cache())
	if err != nil {
		return 0, err
	}
	if err := spec.Write(dir, config); err != nil {
		return 0, err
	}
	t, err := d.shims.Start(ctx, id, dir)
	if err != nil {
		return 0, errors.Join(err, durable.RemoveAll(dir))
	}
	defer d.destroyTask(id, dir, t)
	if _, err := t.Create(ctx); err != nil {
		return 0, err
	}
	conn, err := dialAttach(ctx, dir)
	if err != nil {
		return 0, err
	}
	output := make(chan error, 1)
	go func() {
		// One writer for both: RUN's output is one text.
		output <- demultiplex(conn, Streams{Stdout: s.Output, Stderr: s.Output})
	}()
	defer conn.Close()
	if err := t.Start(ctx); err != nil {
		return 0, err
	}
	exit, err := t.Wait(ctx)
	if err != nil {
		return 0, fmt.Errorf("the build was cut short: %w", err)
	}
	if err := t.Delete(ctx); err != nil {
		return 0, err
	}
	if err := <-output; err != nil {
		return 0, err
	}
	if exit.Code != 0 {
		return exit.Code, nil
	}
	return 0, settleInto(s.Root, upper)
}

// runSpec is the specification of a guest of RUN: the stage's files below, and
// a level of its own above, and the walls of every container.
func runSpec(r build.RunSpec, upper, cache string) (*specs.Spec, error) {
	who, err := identityIn(r.Root, r.User, nil)
	if err != nil {
		return nil, err
	}
	s := &specs.Spec{
		Version:  specs.Version,
		Hostname: "build",
		Root:     &specs.Root{Path: r.Root},
		Process:  &specs.Process{Args: r.Args, Env: r.Env, Cwd: r.Dir},
		Annotations: map[string]string{
			bundle.Upper: upper, bundle.Cache: cache, bundle.Network: "private", bundle.Name: "build",
		},
	}
	return s, spec.Confine(s, r.User, who)
}
