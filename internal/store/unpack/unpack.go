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
	"path"
	"time"

	"github.com/containerd/errdefs"
	digest "github.com/opencontainers/go-digest"
)

// Limits bound what layers may unpack to. Zero fields take the default.
type Limits struct {
	// Bytes bounds the content of all files together; 32 GiB by default.
	Bytes int64
	// Entries bounds the entries of all layers together, with the folders that
	// they imply; 1,000,000 by default.
	Entries int
	// Names bounds the paths of a layer's entries, as they are kept in memory,
	// in bytes; 256 MiB by default.
	Names int64
	// Steps bounds how many parts of paths are looked up; 64 for each entry
	// of Entries by default. Deep paths and chains of links cost more of them.
	Steps int64
	// Ratio bounds how many bytes one byte of a compressed layer may become,
	// once the layer has passed Free bytes; 200 by default, past 1 GiB. The
	// holes of sparse files count as bytes.
	Ratio, Free int64
}

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = 32 << 30
	}
	if l.Entries == 0 {
		l.Entries = 1_000_000
	}
	if l.Names == 0 {
		l.Names = 256 << 20
	}
	if l.Steps == 0 {
		l.Steps = 64 * int64(l.Entries)
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
	defer x.leave()
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
	// below holds the folders that own has something in, at any depth, and
	// cleared those that an opaque whiteout has emptied: of lower layers nothing
	// is left there. With both, what a layer asks for takes time in what it has.
	below, cleared map[string]bool
	// names is the size of what own holds.
	names int64
	// steps counts the parts of paths looked up in all layers.
	steps int64
	// packed tells how many bytes of the layer were read, and grown how many
	// its files became.
	packed func() int64
	grown  int64
	// at is the folder that an entry was last put into; one that is replaced
	// makes it void.
	at place
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
	x.own, x.below, x.cleared = map[string]bool{}, map[string]bool{}, map[string]bool{}
	x.names, x.grown, x.times = 0, 0, nil

	packed := &counter{ctx: ctx, r: raw, hash: l.Digest.Algorithm().Hash()}
	x.packed = func() int64 { return packed.n }
	plain, done, err := decompress(bufio.NewReaderSize(packed, 64<<10))
	if err != nil {
		return fmt.Errorf("%w (%v)", ErrCorrupt, err)
	}
	defer done()
	unpacked := &counter{ctx: ctx, r: plain, hash: digest.Canonical.Hash()}
	unpacked.check = func(n int64) error {
		if err := x.ratio(n); err != nil {
			return err
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
		if err := x.count(); err != nil {
			return err
		}
		if err := x.entry(h, tr); err != nil {
			return fmt.Errorf("entry %q: %w", shorten(h.Name), err)
		}
	}
}

// count counts an entry, or a folder that one implies.
func (x *extractor) count() error {
	if x.result.Entries++; x.result.Entries > x.limits.Entries {
		return fmt.Errorf("%w: more than %d entries", ErrLimit, x.limits.Entries)
	}
	return nil
}

// ratio holds what the layer became against what was read of it.
func (x *extractor) ratio(n int64) error {
	if n > x.limits.Free && n/x.limits.Ratio > x.packed() {
		return fmt.Errorf("%w: %d bytes became more than %d", ErrLimit, x.packed(), n)
	}
	return nil
}

// made notes that the current layer has made p.
func (x *extractor) made(p string) error {
	if x.own[p] {
		return nil
	}
	if x.names += int64(len(p)); x.names > x.limits.Names {
		return fmt.Errorf("%w: paths of more than %d bytes in one layer", ErrLimit, x.limits.Names)
	}
	x.own[p] = true
	for dir := path.Dir(p); dir != "." && !x.below[dir]; dir = path.Dir(dir) {
		x.below[dir] = true
	}
	return nil
}

// setTimes gives folders the times that unpacking into them changed.
func (x *extractor) setTimes() error {
	for _, t := range x.times {
		// A later whiteout or file may have taken the folder's place.
		root, name, err := x.near(t.path)
		if err != nil {
			return err
		}
		if fi, err := root.Lstat(name); err != nil || !fi.IsDir() {
			continue
		}
		if err := root.Chtimes(name, t.mod, t.mod); err != nil && !errors.Is(err, fs.ErrNotExist) {
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
