//go:build linux

package code

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// abandoned is the age at which a file that is being written counts as left
// behind by a crash.
const abandoned = 24 * time.Hour

// prune removes the entries not used for longest until the rest fits, but not
// keep. Code in use stays mapped by those who have it open. What cannot be
// removed stays: the bound is a courtesy, the next call tries again.
func (c Cache) prune(keep Key) {
	limit := c.MaxBytes
	if limit == 0 {
		limit = DefaultMaxBytes
	}
	type entry struct {
		path string
		size int64
		used time.Time
	}
	var entries []entry
	var total int64
	names, err := os.ReadDir(c.Dir)
	if err != nil {
		return
	}
	for _, n := range names {
		info, err := n.Info()
		if err != nil {
			continue // removed meanwhile
		}
		path := filepath.Join(c.Dir, n.Name())
		switch {
		case strings.HasPrefix(n.Name(), ".new-"):
			if time.Since(info.ModTime()) > abandoned {
				os.Remove(path)
			}
		case strings.HasSuffix(n.Name(), suffix):
			total += info.Size()
			if n.Name() != keep.file() {
				entries = append(entries, entry{path, info.Size(), info.ModTime()})
			}
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return a.used.Compare(b.used) })
	for _, e := range entries {
		if total <= limit {
			return
		}
		if os.Remove(e.path) == nil {
			total -= e.size
		}
	}
}
