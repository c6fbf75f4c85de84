package install

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/errdefs"
)

// record is what an installation changed, kept so that it can be taken back.
type record struct {
	BinDir string        `json:"binDir"`
	Change *changeRecord `json:"change,omitempty"`
	// Restart says how the daemon takes note of a changed configuration.
	Restart string `json:"restart,omitempty"`
}

type changeRecord struct {
	Path    string `json:"path"`
	Existed bool   `json:"existed"`
	Before  []byte `json:"before,omitempty"`
	After   []byte `json:"after"`
}

func (c *change) record() *changeRecord {
	if c == nil {
		return nil
	}
	return &changeRecord{Path: c.path, Existed: c.existed, Before: c.before, After: c.after}
}

// stateDir holds the records. It is the machine's, as the daemons are.
var stateDir = "/var/lib/wherry-install"

func recordPath(daemon string) string { return filepath.Join(stateDir, daemon+".json") }

// remember writes a record. The change of an earlier installation stays: what
// was there before that one is what to go back to.
func remember(daemon string, r record) error {
	if old, err := recall(daemon); err == nil && old.Change != nil {
		if r.Change != nil && r.Change.Path == old.Change.Path {
			r.Change.Before, r.Change.Existed = old.Change.Before, old.Change.Existed
		} else if r.Change == nil {
			r.Change = old.Change
		}
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return err
	}
	return writeConfig(recordPath(daemon), append(data, '\n'))
}

func recall(daemon string) (r record, err error) {
	data, exists, err := readConfig(recordPath(daemon))
	if err != nil {
		return r, err
	}
	if !exists {
		return r, fmt.Errorf("nothing of Wherry is installed for %s: %w", daemon, errdefs.ErrNotFound)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s: %w", recordPath(daemon), err)
	}
	return r, nil
}

// uninstall takes an installation back. A configuration that was edited since
// is not put back as it was: undo takes Wherry's part out of it.
func (o Options) uninstall(daemon string, undo func(data, original []byte) ([]byte, error)) error {
	r, err := recall(daemon)
	if err != nil {
		return err
	}
	if c := r.Change; c != nil {
		data, exists, err := readConfig(c.Path)
		done := "as it was"
		switch {
		case err != nil:
			return err
		case !exists:
			done = "not there any more"
		case bytes.Equal(data, c.After) && !c.Existed:
			err = os.Remove(c.Path)
		case bytes.Equal(data, c.After):
			err = writeConfig(c.Path, c.Before)
		default:
			done = "without Wherry's part; what was edited since stays"
			var out []byte
			if out, err = undo(data, c.Before); err == nil {
				err = writeConfig(c.Path, out)
			}
		}
		if err != nil {
			return fmt.Errorf("take Wherry's part out of %s: %w", c.Path, err)
		}
		fmt.Fprintf(o.Out, "%s: %s\n%s\n", c.Path, done, r.Restart)
	}
	used, err := elsewhere(daemon, r.BinDir)
	if err != nil {
		return err
	}
	if used == "" {
		gone, err := unplace(r.BinDir)
		for _, path := range gone {
			fmt.Fprintf(o.Out, "%s: removed\n", path)
		}
		if err != nil {
			return err
		}
	} else {
		fmt.Fprintf(o.Out, "%s: the shims stay, %s uses them\n", r.BinDir, used)
	}
	if err := os.Remove(recordPath(daemon)); err != nil {
		return err
	}
	// It stays where another daemon's record is in it.
	_ = os.Remove(stateDir)
	return nil
}

// withdraw takes the shims away again after a failure, unless an earlier
// installation put them there.
func (o Options) withdraw(dir string, failure error) error {
	used, err := elsewhere("", dir)
	if err == nil && used == "" {
		_, err = unplace(dir)
	}
	if err != nil {
		return fmt.Errorf("%w; and the shims in %s could not be taken away again: %w", failure, dir, err)
	}
	return failure
}

// elsewhere names another daemon for which the same folder was used.
func elsewhere(daemon, dir string) (string, error) {
	for _, other := range []string{"docker", "containerd"} {
		if other == daemon {
			continue
		}
		r, err := recall(other)
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return "", err
		}
		if r.BinDir == dir {
			return other, nil
		}
	}
	return "", nil
}
