// Package unpack makes one folder of an image's layers.
//
// Layers come from strangers: names, links, sizes and counts in them are
// hostile until checked. Every operation goes through os.Root, so that neither
// a name nor a link nor a race leads out of the folder. It works without
// privileges: owners, extended attributes, device nodes and set-id bits, none
// of which a WASI guest can see, are left out. It must not know images,
// registries or the store.
package unpack

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"time"

	"github.com/containerd/errdefs"
	digest "github.com/opencontainers/go-digest"
)

// Limits bound what layers may unpack to. Zero fields take the default.
type Limits struct {
	// Bytes bounds the content of all files together; 32 GiB by default.
	Bytes int64
	// Entries bounds the entries of all layers together; 1,000,000 by default.
	Entries int
	// Ratio bounds how many bytes one byte of a compressed layer may become,
	// once the layer has passed Free bytes; 200 by default, past 1 GiB.
	Ratio, Free int64
}

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = 32 << 30
	}
	if l.Entries == 0 {
		l.Entries = 1_000_000
	}
	if l.Ratio == 0 {
		l.Ratio = 200
	}
	if l.Free == 0 {
		l.Free = 1 << 30
	}
	return l
}

// Layer is one layer: a tar archive, plain or compressed by gzip or zstd.
type Layer struct {
	// Digest is what the bytes of Open must have.
	Digest digest.Digest
	// DiffID is what the uncompressed bytes must have; not checked if empty.
	DiffID digest.Digest
	Open   func() (io.ReadCloser, error)
}

// Result is what was unpacked.
type Result struct {
	// Digests are those of the Wasm modules, by absolute path in the image.
	// Modules are files that begin as one or are called *.wasm or *.wat.
	Digests map[string]digest.Digest
	// Size is the content of all files written, in bytes; Entries counts the
	// archives' entries.
	Size    int64
	Entries int
	// Skipped counts what was left out, by kind ("device nodes").
	Skipped map[string]int
}

// ErrLimit is wrapped when layers unpack to more than Limits allows.
var ErrLimit = fmt.Errorf("image unpacks to too much: %w", errdefs.ErrResourceExhausted)

// ErrCorrupt is wrapped when a layer is not what its digests say.
var ErrCorrupt = fmt.Errorf("layer is corrupt: %w", errdefs.ErrDataLoss)

// Layers unpacks layers, lowest first, into the existing empty folder dir.
func Layers(ctx context.Context, dir string, layers []Layer, limits Limits) (Result, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Result{}, err
	}
	defer root.Close()
	x := &extractor{
		root: root, limits: limits.withDefaults(),
		result: Result{Digests: map[string]digest.Digest{}, Skipped: map[string]int{}},
	}
	for _, l := range layers {
		if err := x.layer(ctx, l); err != nil {
			return Result{}, fmt.Errorf("layer %s: %w", l.Digest, err)
		}
	}
	return x.result, nil
}

// extractor unpacks layers on top of one another.
type extractor struct {
	root   *os.Root
	limits Limits
	result Result

	// own holds what the current layer has made, so that its whiteouts take
	// away only what lower layers had.
	own map[string]bool
	// times are folders' times, set when a layer is complete.
	times []dirTime
}

type dirTime struct {
	path string
	mod  time.Time
}

// layer unpacks one layer and checks its digests.
func (x *extractor) layer(ctx context.Context, l Layer) error {
	raw, err := l.Open()
	if err != nil {
		return err
	}
	defer raw.Close()
	if err := l.Digest.Validate(); err != nil {
		return fmt.Errorf("%q is not a digest: %w", l.Digest, errdefs.ErrInvalidArgument)
	}
	x.own, x.times = map[string]bool{}, nil

	packed := &counter{ctx: ctx, r: raw, hash: l.Digest.Algorithm().Hash()}
	plain, done, err := decompress(bufio.NewReaderSize(packed, 64<<10))
	if err != nil {
		return fmt.Errorf("%w (%v)", ErrCorrupt, err)
	}
	defer done()
	unpacked := &counter{ctx: ctx, r: plain, hash: digest.Canonical.Hash()}
	unpacked.check = func(n int64) error {
		if n > x.limits.Free && n/x.limits.Ratio > packed.n {
			return fmt.Errorf("%w: %d bytes became more than %d", ErrLimit, packed.n, n)
		}
		if n > math.MaxInt64/2 || n > 2*x.limits.Bytes+int64(x.limits.Entries)*4096 {
			return fmt.Errorf("%w: the layer has more than %d bytes", ErrLimit, n)
		}
		return nil
	}
	if err := x.entries(ctx, tar.NewReader(unpacked)); err != nil {
		return err
	}
	// The digests cover what follows the archive's end, too.
	if _, err := io.Copy(io.Discard, unpacked); err != nil {
		return damaged(err)
	}
	if _, err := io.Copy(io.Discard, packed); err != nil {
		return damaged(err)
	}
	if got := digest.NewDigest(l.Digest.Algorithm(), packed.hash); got != l.Digest {
		return fmt.Errorf("%w: its content has the digest %s", ErrCorrupt, got)
	}
	if l.DiffID == "" {
		return x.setTimes()
	}
	if got := digest.NewDigest(digest.Canonical, unpacked.hash); got != l.DiffID {
		return fmt.Errorf("%w: uncompressed it has the digest %s, the image says %s", ErrCorrupt, got, l.DiffID)
	}
	return x.setTimes()
}

// entries unpacks an archive's entries.
func (x *extractor) entries(ctx context.Context, tr *tar.Reader) error {
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damaged(err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if x.result.Entries++; x.result.Entries > x.limits.Entries {
			return fmt.Errorf("%w: more than %d entries", ErrLimit, x.limits.Entries)
		}
		if err := x.entry(h, tr); err != nil {
			return fmt.Errorf("entry %q: %w", shorten(h.Name), err)
		}
	}
}

// setTimes gives folders the times that unpacking into them changed.
func (x *extractor) setTimes() error {
	for _, t := range x.times {
		// A later whiteout or file may have taken the folder's place.
		if fi, err := x.root.Lstat(t.path); err != nil || !fi.IsDir() {
			continue
		}
		if err := x.root.Chtimes(t.path, t.mod, t.mod); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// damaged tells defects of the archive from errors of the system and limits.
func damaged(err error) error {
	var pe *fs.PathError
	if errors.Is(err, ErrLimit) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &pe) {
		return err
	}
	return fmt.Errorf("%w (%v)", ErrCorrupt, err)
}

func shorten(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
