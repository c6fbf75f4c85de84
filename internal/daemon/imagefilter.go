//go:build linux

package daemon

import (
	"context"
	"slices"
	"time"

	"github.com/distribution/reference"

	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/filter"
	"wherry/internal/store"
)

// imageFilter turns a list's filters into a test of one image.
func (d *Daemon) imageFilter(ctx context.Context, f Filters) (func(store.Image) bool, error) {
	if err := filter.Check(f, "before", "dangling", "label", "label!", "reference", "since", "until"); err != nil {
		return nil, err
	}
	dangling, err := filter.Bool(f, "dangling", false)
	if err != nil {
		return nil, err
	}
	until, err := filter.Until(f, time.Now())
	if err != nil {
		return nil, err
	}
	// The bounds of since and before are times of other images.
	bound := func(key string) (t time.Time, err error) {
		for _, v := range f[key] {
			img, err := d.store.Get(ctx, v, "")
			if err != nil {
				return t, err
			}
			if t.IsZero() || (key == "since") == img.Created.After(t) {
				t = img.Created
			}
		}
		return t, nil
	}
	since, err := bound("since")
	if err != nil {
		return nil, err
	}
	before, err := bound("before")
	if err != nil {
		return nil, err
	}
	for _, p := range f["reference"] {
		if _, err := reference.FamiliarMatch(p, anyName); err != nil {
			return nil, fault.Invalid("invalid filter 'reference=%s': %w", p, err)
		}
	}
	return func(img store.Image) bool {
		labels := img.Config.Config.Labels
		switch {
		case len(f["dangling"]) > 0 && dangling != (len(img.Names) == 0),
			!filter.Labels(f["label"], labels), !filter.NoLabels(f["label!"], labels),
			!until.IsZero() && !img.Created.Before(until),
			!since.IsZero() && !img.Created.After(since),
			!before.IsZero() && !img.Created.Before(before):
			return false
		}
		return len(f["reference"]) == 0 || slices.ContainsFunc(f["reference"], func(p string) bool { return matchesName(p, img) })
	}, nil
}

// anyName is a name to try patterns on.
var anyName, _ = reference.ParseNormalizedNamed("any")

// matchesName tells whether one of an image's names matches a pattern, with or
// without the tag.
func matchesName(pattern string, img store.Image) bool {
	for _, n := range slices.Concat(img.Names, img.RepoDigests) {
		named, err := reference.ParseNormalizedNamed(n)
		if err != nil {
			continue
		}
		for _, r := range []reference.Reference{named, reference.TrimNamed(named)} {
			if ok, err := reference.FamiliarMatch(pattern, r); err == nil && ok {
				return true
			}
		}
	}
	return false
}
