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
// ID, the size of its files and what its program could do by what it imports.
func summary(ctx context.Context, api client.APIClient, id string, tags []string) (string, error) {
	image, err := api.ImageInspect(ctx, id)
	if err != nil {
		return "", fmt.Errorf("look at the new image: %w", err)
	}
	var words []string
	for _, t := range tags {
		words = append(words, withLatest(t))
	}
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
	found, err := look(archive, program)
	if err != nil {
		return "", fmt.Errorf("look into the new image: %w", err)
	}
	words = append(words, shortID(id), humanSize(found.size))
	line := strings.Join(words, " ")
	if found.program == nil {
		return line + "; it has no program yet", nil
	}
	if may := found.program.Capabilities(); len(may) > 0 {
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

// content is what an archive of docker save holds.
type content struct {
	// program is what was looked for; nil where it isn't there or isn't Wasm,
	// which the engine tells of when it is run.
	program *module.Info
	// size is the sum of all layers' files, in bytes.
	size int64
}

// look reads an archive of docker save and finds a program in it: a blob that
// is a module itself, or the file of that path in a layer. Later layers win.
func look(archive io.Reader, program string) (content, error) {
	var c content
	want := path.Clean("/" + strings.SplitN(program, "#", 2)[0])
	outer := tar.NewReader(archive)
	for {
		h, err := outer.Next()
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return content{}, err
		}
		if h.Typeflag == tar.TypeReg {
			err = c.blob(outer, h.Size, want)
		}
		if err != nil {
			return content{}, fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

// blob looks into one file of the archive.
func (c *content) blob(r io.Reader, size int64, want string) error {
	blob := bufio.NewReader(r)
	head, err := blob.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.Equal(head, []byte("\x00asm")):
		c.size += size
		return c.inspect(blob)
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(blob)
		if err != nil {
			return err
		}
		return c.layer(z, want)
	case bytes.HasPrefix(head, []byte("{")), bytes.HasPrefix(head, []byte("[")):
		return nil // a manifest or a configuration
	}
	return c.layer(blob, want)
}

// layer looks through a layer's tar. What is no tar has no files.
func (c *content) layer(r io.Reader, want string) error {
	files := tar.NewReader(r)
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, tar.ErrHeader) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		c.size += h.Size
		if path.Clean("/"+h.Name) == want {
			if err := c.inspect(files); err != nil {
				return err
			}
		}
	}
}

// inspect reads what a program imports.
func (c *content) inspect(r io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(r, maxModule+1))
	if err != nil {
		return err
	}
	if len(b) > maxModule {
		return fmt.Errorf("the program is larger than %s", humanSize(maxModule))
	}
	m, err := module.InspectBytes(b)
	if err != nil {
		m = nil
	}
	c.program = m
	return nil
}
