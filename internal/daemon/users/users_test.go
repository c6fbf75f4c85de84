package users

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

const passwd = `root:x:0:0:root:/root:/bin/sh
# a comment
app:x:1000:1001:the app:/srv/app:/bin/false
bare:x:1002:1002::relative:/bin/sh
twice:x:7:7::/a:
twice:x:8:8::/b:
huge:x:4294967296:1::/:
minus:x:-1:1::/:
`

const group = `root:x:0:
wheel:x:10:root,app
app:x:1001:
logs:x:2000:app
far:x:4294967306:app2
`

// image makes the files of an image.
func image(t *testing.T, files map[string]string) Opener {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return func(path string) (*os.File, error) { return os.Open(filepath.Join(dir, path)) }
}

func TestResolve(t *testing.T) {
	full := image(t, map[string]string{"/etc/passwd": passwd, "/etc/group": group})
	empty := image(t, nil)
	for name, tt := range map[string]struct {
		open   Opener
		who    string
		groups []string
		want   Identity
		err    string
	}{
		"nobody said":            {full, "", nil, Identity{0, 0, []uint32{0, 10}, "/root"}, ""},
		"without files":          {empty, "", nil, Identity{0, 0, []uint32{0}, "/"}, ""},
		"a name":                 {full, "app", nil, Identity{1000, 1001, []uint32{1001, 10, 2000}, "/srv/app"}, ""},
		"a known number":         {full, "1000", nil, Identity{1000, 1001, []uint32{1001, 10, 2000}, "/srv/app"}, ""},
		"an unknown number":      {full, "4711", nil, Identity{4711, 0, []uint32{0}, "/"}, ""},
		"a name and a group":     {full, "app:logs", nil, Identity{1000, 2000, []uint32{2000}, "/srv/app"}, ""},
		"a number and a number":  {empty, "5:6", nil, Identity{5, 6, []uint32{6}, "/"}, ""},
		"a group alone":          {full, ":logs", nil, Identity{0, 2000, []uint32{2000}, "/root"}, ""},
		"more groups":            {full, "5:6", []string{"logs", "77", "10"}, Identity{5, 6, []uint32{6, 10, 77, 2000}, "/"}, ""},
		"the first of two":       {full, "twice", nil, Identity{7, 7, []uint32{7}, "/a"}, ""},
		"a home that is no path": {full, "bare", nil, Identity{1002, 1002, []uint32{1002}, "/"}, ""},

		"an unknown name":            {full, "x", nil, Identity{}, "unable to find user x: no matching entries in passwd file"},
		"a name without files":       {empty, "app", nil, Identity{}, "unable to find user app: no matching entries in passwd file"},
		"an unknown group":           {full, "app:x", nil, Identity{}, "unable to find group x: no matching entries in group file"},
		"an unknown group more":      {full, "app", []string{"x"}, Identity{}, "Unable to find group x: no matching entries in group file"},
		"an ID that would wrap to 0": {full, "huge", nil, Identity{}, "uids and gids must be in range"},
		"a negative ID":              {full, "minus", nil, Identity{}, "uids and gids must be in range"},
		"a number beyond IDs":        {full, "4294967296", nil, Identity{}, "uids and gids must be in range"},
		"a group that would wrap":    {full, "5", []string{"far"}, Identity{}, "uids and gids must be in range"},
		"a negative number":          {full, "-1", nil, Identity{}, "uids and gids must be in range"},
		"a file without end":         {image(t, map[string]string{"/etc/passwd": strings.Repeat("a:x:1:1::/:\n", 100000)}), "a", nil, Identity{}, "larger than 1048576 bytes"},
		"a line without end":         {image(t, map[string]string{"/etc/passwd": strings.Repeat("a", 100000)}), "a", nil, Identity{}, "unable to find user a: "},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Resolve(tt.open, tt.who, tt.groups)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "\n") || !errdefs.IsInvalidArgument(err) {
					t.Errorf("answers %+v, %v, want an error with %q", got, err, tt.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("answers %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

// What is there but no file counts as missing, as under Docker.
func TestFoldersInPlaceOfFiles(t *testing.T) {
	folder := func(path string) (*os.File, error) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("is a directory")}
	}
	if id, err := Resolve(folder, "12", nil); err != nil || id.UID != 12 {
		t.Errorf("answers %+v, %v", id, err)
	}
}
