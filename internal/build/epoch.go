package build

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/containerd/errdefs"
)

// epoch is the time of everything in the image
// (reproducible-builds.org/specs/source-date-epoch).
func epoch(o Options) (time.Time, error) {
	if o.SourceDateEpoch != nil {
		return o.SourceDateEpoch.UTC().Truncate(time.Second), nil
	}
	v := o.Args["SOURCE_DATE_EPOCH"]
	if v == nil || *v == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	s, err := strconv.ParseInt(*v, 10, 64)
	if err != nil || s < 0 || s > 1<<36 {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is %q, want seconds since 1970: %w", *v, errdefs.ErrInvalidArgument)
	}
	return time.Unix(s, 0).UTC(), nil
}

// removeAll removes a folder, those folders in it included that can't be
// entered.
func removeAll(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	// Folders that can't be opened are made so on the way down; what else is
	// wrong, the second try says.
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
