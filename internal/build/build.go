// Package build makes images of Dockerfiles, for WebAssembly: FROM scratch or a
// Wasm image, files copied in, guests run by RUN. It is the daemon's half; what
// a folder's source needs of a toolchain happens before, on the client's side
// (package source).
//
// The same context, Dockerfile and arguments give the same digest: entries of
// layers are in order and have one time, that of SOURCE_DATE_EPOCH or else the
// epoch's.
//
// It must not know containers: guests are run by the [Runner] it is given.
package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/moby/go-archive/compression"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/opencontainers/go-digest"

	"wherry/internal/build/files"
	"wherry/internal/image"
	"wherry/internal/store"
)

// Options are a request to build. Only Context is required.
type Options struct {
	// Context is the tar of the files, plain or compressed.
	Context io.Reader
	// Dockerfile is its path in the context; empty is "Dockerfile".
	Dockerfile string
	// Tags name the image; without any it stays nameless.
	Tags []string
	// Args are the values of ARG; nil values don't count.
	Args   map[string]*string
	Labels map[string]string
	// Target is the stage to build, by name or number; empty is the last.
	Target string
	// Platform is that of the image; empty is the base's, or wasi/wasm.
	Platform string
	// NoCache is accepted: every step is done every time anyway.
	NoCache bool
	// AlwaysPull asks the registry for each base image, even if there is one.
	AlwaysPull bool
	// Quiet sends nothing but the image's ID to Progress.
	Quiet bool
	// SourceDateEpoch is the time of everything in the image; nil takes the
	// build argument SOURCE_DATE_EPOCH, or the epoch itself.
	SourceDateEpoch *time.Time
	// Progress gets the JSON lines that POST /build answers with
	// (moby api/types/jsonstream); nil discards them.
	Progress io.Writer
	// Runner runs the guests of RUN; without one RUN is an error.
	Runner Runner
	// Pull fetches a base image that the store doesn't have; without it there
	// is only the store. It returns errdefs.ErrInvalidArgument where the image
	// has no such platform.
	Pull func(ctx context.Context, ref, platform string) error
	// TempDir is where the context is unpacked while building; empty is the
	// system's.
	TempDir string
}

// Runner runs a guest to its end.
type Runner interface {
	// Run answers the guest's exit code; an error where it didn't start.
	Run(ctx context.Context, s RunSpec) (int, error)
}

// RunSpec is a guest of RUN.
type RunSpec struct {
	// Root is a folder of this machine that is the guest's root. What the
	// guest changes, it changes right there; what it removes must be gone.
	Root string
	// Args is the program, as a path in Root, and its arguments.
	Args, Env []string
	// Dir is the working directory, User that of USER.
	Dir, User string
	// Output gets both of the guest's streams.
	Output io.Writer
}

// Result is a built image.
type Result struct {
	// ID is the digest of the manifest.
	ID digest.Digest `json:"ID"`
	// Names are the complete names it was given.
	Names []string `json:"Names,omitempty"`
	// Size is the size of the image as stored, in bytes.
	Size int64 `json:"Size"`
	// Program is what it runs, where that is in it and is WebAssembly.
	Program string `json:"Program,omitempty"`
	// Capabilities say what its program may do, such as "listen"; Warning
	// says in a line why it can't run here, if so.
	Capabilities []string `json:"Capabilities,omitempty"`
	Warning      string   `json:"Warning,omitempty"`
}

// Run builds an image. Errors in the Dockerfile wrap errdefs.ErrInvalidArgument
// and begin with the file's name and the line: "Dockerfile:3: …".
func Run(ctx context.Context, o Options, s *store.Store) (_ Result, err error) {
	if o.Dockerfile == "" {
		o.Dockerfile = "Dockerfile"
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if o.Platform != "" {
		if _, err := image.Parse(o.Platform); err != nil {
			return Result{}, err
		}
	}
	for _, tag := range o.Tags {
		if _, err := store.ParseName(tag); err != nil {
			return Result{}, err
		}
	}
	when, err := epoch(o)
	if err != nil {
		return Result{}, err
	}
	tmp, err := os.MkdirTemp(o.TempDir, "wherry-build-")
	if err != nil {
		return Result{}, err
	}
	// A guest may have left folders that forbid entering.
	defer func() { err = errors.Join(err, removeAll(tmp)) }()
	if err := os.Mkdir(path.Join(tmp, "spool"), 0o700); err != nil {
		return Result{}, err
	}
	ctx, done, err := s.Lease(ctx)
	if err != nil {
		return Result{}, err
	}
	defer done()
	b := &builder{
		Options: o, store: s, blobs: s.Content(), tmp: tmp, when: when,
		spool: files.NewSpool(path.Join(tmp, "spool")),
		out:   &stream{w: o.Progress, quiet: o.Quiet},
	}
	return b.build(ctx)
}

// builder is a build under way.
type builder struct {
	Options
	store *store.Store
	// blobs takes what the build makes: the store's content.
	blobs content.Ingester
	tmp   string
	spool *files.Spool
	when  time.Time
	out   *stream

	context *files.Tree
	// ignored is what .dockerignore left out, for a better message.
	ignored *patternmatcher.PatternMatcher
	file    *dockerfile
	// done are the finished stages by number.
	done map[int]*stage
	// used are the build arguments that some ARG took.
	used map[string]bool
	// foreign are images of COPY --from by name.
	foreign map[string]*files.Tree
	step    int
}

func (b *builder) build(ctx context.Context) (Result, error) {
	last, err := b.stages(ctx)
	if err != nil {
		return Result{}, err
	}
	b.warnUnused()
	res, err := b.commit(ctx, last)
	if err != nil {
		return Result{}, err
	}
	b.out.finished(res)
	return res, nil
}

// stages does all but name the image: it answers the finished target.
func (b *builder) stages(ctx context.Context) (*stage, error) {
	if err := b.readContext(ctx); err != nil {
		return nil, err
	}
	// The Dockerfile counts even where .dockerignore keeps it from COPY.
	text, err := b.readDockerfile()
	if err != nil {
		return nil, err
	}
	if err := b.applyIgnore(); err != nil {
		return nil, err
	}
	b.used, b.foreign = map[string]bool{}, map[string]*files.Tree{}
	if b.file, err = parse(b.Dockerfile, text); err != nil {
		return nil, err
	}
	return b.buildStages(ctx)
}

// readContext unpacks the context.
func (b *builder) readContext(ctx context.Context) error {
	if b.Context == nil {
		return fmt.Errorf("there is no build context: %w", errdefs.ErrInvalidArgument)
	}
	r, err := compression.DecompressStream(b.Context)
	if err != nil {
		return fmt.Errorf("the build context: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	defer r.Close()
	if b.context, err = files.ReadTar(ctx, r, b.spool); err != nil {
		return fmt.Errorf("the build context: %w", err)
	}
	// What follows the archive's end is read too, so that the client isn't cut
	// off while it still sends padding.
	if _, err := io.Copy(io.Discard, b.Context); err != nil {
		return fmt.Errorf("the build context: %w", err)
	}
	return nil
}

// injected is the name under which Wherry's client sends a Dockerfile that the
// folder itself doesn't have (package source); it is no file of the user's.
const injected = ".wherry.Dockerfile"

// applyIgnore takes out of the context what .dockerignore names. Docker's client
// has done so before, other clients may not have.
func (b *builder) applyIgnore() error {
	b.context.Remove(injected)
	for _, name := range []string{b.Dockerfile + ".dockerignore", ".dockerignore"} {
		p, n, err := b.context.Resolve(name, true)
		if err != nil || n == nil || n.Type != files.File {
			continue
		}
		return b.ignore(p, n)
	}
	return nil
}

func (b *builder) ignore(name string, n *files.Node) error {
	f, err := n.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	patterns, err := ignorefile.ReadAll(f)
	if err == nil {
		b.ignored, err = patternmatcher.New(patterns)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %w", name, err, errdefs.ErrInvalidArgument)
	}
	for _, p := range b.context.Below("") {
		out, err := b.ignored.MatchesOrParentMatches(p)
		if err != nil {
			return fmt.Errorf("%s: %w: %w", name, err, errdefs.ErrInvalidArgument)
		}
		node, ok := b.context.Get(p)
		// A folder stays for what a "!" pattern keeps below it.
		if out && ok && (node.Type != files.Dir || !b.ignored.Exclusions()) {
			b.context.Remove(p)
		}
	}
	return nil
}

// maxDockerfile bounds a Dockerfile, in bytes.
const maxDockerfile = 1 << 20

func (b *builder) readDockerfile() ([]byte, error) {
	_, n, err := b.context.Resolve(b.Dockerfile, true)
	if err != nil {
		return nil, err
	}
	if n == nil || n.Type != files.File {
		return nil, fmt.Errorf("the build context has no file %s: %w", b.Dockerfile, errdefs.ErrInvalidArgument)
	}
	if n.Size > maxDockerfile {
		return nil, fmt.Errorf("%s has %d bytes, a Dockerfile has at most %d: %w", b.Dockerfile, n.Size, maxDockerfile, errdefs.ErrInvalidArgument)
	}
	f, err := n.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
