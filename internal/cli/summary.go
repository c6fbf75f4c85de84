package cli

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/moby/client"

	"wherry/internal/module"
)

// maxModule bounds the module that is looked at for a summary.
const maxModule = 512 << 20

// summary is the one line about a new image: its names, the beginning of its
// ID, its size and what its program could do by what it imports.
func summary(ctx context.Context, api client.APIClient, id string, tags []string) (string, error) {
	image, err := api.ImageInspect(ctx, id)
	if err != nil {
		return "", fmt.Errorf("look at the new image: %w", err)
	}
	var words []string
	for _, t := range tags {
		words = append(words, withLatest(t))
	}
	words = append(words, shortID(id), humanSize(image.Size))
	line := strings.Join(words, " ")

	program := ""
	if c := image.Config; c != nil {
		if args := append(append([]string{}, c.Entrypoint...), c.Cmd...); len(args) > 0 {
			program = args[0]
		}
	}
	archive, err := api.ImageSave(ctx, []string{id})
	if err != nil {
		return "", fmt.Errorf("look at the new image: %w", err)
	}
	defer archive.Close()
	m, err := findModule(archive, program)
	switch {
	case err != nil:
		return "", fmt.Errorf("look into the new image: %w", err)
	case m == nil:
		return line + "; it has no program yet", nil
	}
	if may := m.Capabilities(); len(may) > 0 {
		return line + "; may: " + strings.Join(may, ", "), nil
	}
	return line + "; may: nothing beyond its files", nil
}

// withLatest writes a name as docker lists it: short, with its tag.
func withLatest(name string) string {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	return reference.FamiliarString(reference.TagNameOnly(named))
}

// shortID keeps as much of a digest as docker shows.
func shortID(id string) string {
	algorithm, hex, ok := strings.Cut(id, ":")
	if !ok || len(hex) < 12 {
		return id
	}
	return algorithm + ":" + hex[:12]
}

// humanSize writes bytes in powers of ten with two or three digits, as docker
// images does: 2.7 MB, 812 kB.
func humanSize(n int64) string {
	const step = 1000
	value, unit := float64(n), 0
	units := []string{"B", "kB", "MB", "GB", "TB"}
	for value >= step && unit < len(units)-1 {
		value /= step
		unit++
	}
	if unit > 0 && value < 99.95 {
		return fmt.Sprintf("%.1f %s", value, units[unit])
	}
	return fmt.Sprintf("%.0f %s", value, units[unit])
}

// findModule looks for an image's program in an archive of docker save: a blob
// that is a module itself, or the file of that path in a layer. Later layers
// win. It gives nil where there is none, or one that isn't Wasm.
func findModule(archive io.Reader, program string) (*module.Info, error) {
	var found *module.Info
	outer := tar.NewReader(archive)
	for {
		h, err := outer.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		blob := bufio.NewReader(outer)
		head, err := blob.Peek(4)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		err = nil // a short blob has a short head
		var m *module.Info
		switch {
		case bytes.Equal(head, []byte("\x00asm")):
			m, err = inspectModule(blob)
		case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
			var z *gzip.Reader
			if z, err = gzip.NewReader(blob); err == nil {
				m, err = moduleInLayer(z, program)
			}
		case bytes.HasPrefix(head, []byte("{")) || bytes.HasPrefix(head, []byte("[")): // a manifest or configuration
		default:
			m, err = moduleInLayer(blob, program)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
		if m != nil {
			found = m
		}
	}
}

// moduleInLayer looks for a file in a layer's tar. What is no tar has none.
func moduleInLayer(r io.Reader, program string) (*module.Info, error) {
	want := path.Clean("/" + strings.SplitN(program, "#", 2)[0])
	layer := tar.NewReader(r)
	for {
		h, err := layer.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, tar.ErrHeader) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag == tar.TypeReg && path.Clean("/"+h.Name) == want {
			return inspectModule(layer)
		}
	}
}

// inspectModule reads what a module imports; nil for what is no module, which
// the engine tells of when it is run.
func inspectModule(r io.Reader) (*module.Info, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxModule+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxModule {
		return nil, fmt.Errorf("the program is larger than %s", humanSize(maxModule))
	}
	m, err := module.InspectBytes(b)
	if err != nil {
		return nil, nil
	}
	return m, nil
}
