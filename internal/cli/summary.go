package cli

import (
	"fmt"
	"strings"

	"github.com/distribution/reference"
)

// built is what the engine tells of a new image, in the build's stream (aux).
type built struct {
	ID string
	// Size is the size as stored, in bytes.
	Size int64
	// Program is what the image runs, if that is in it and is WebAssembly.
	Program string
	// Capabilities are what the program could do by what it imports.
	Capabilities []string
}

// summary is the one line about a new image: its names, the beginning of its
// ID, its size as images shows it, and what its program may do.
func (b built) summary(tags []string) string {
	var words []string
	for _, t := range tags {
		words = append(words, withLatest(t))
	}
	line := strings.Join(append(words, shortID(b.ID), humanSize(b.Size)), " ")
	switch {
	case b.Program == "":
		return line + "; it has no program yet"
	case len(b.Capabilities) == 0:
		return line + "; may: nothing beyond its files"
	}
	return line + "; may: " + strings.Join(b.Capabilities, ", ")
}

// withLatest writes a name as docker lists it: short, with its tag.
func withLatest(name string) string {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	return reference.FamiliarString(reference.TagNameOnly(named))
}

// shortID keeps as much of a digest as docker shows, and says that there is
// more.
func shortID(id string) string {
	algorithm, hex, ok := strings.Cut(id, ":")
	if !ok || len(hex) <= 12 {
		return id
	}
	return algorithm + ":" + hex[:12] + "…"
}

// humanSize writes bytes in powers of ten with two or three digits: 2.7 MB,
// 812 kB.
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
