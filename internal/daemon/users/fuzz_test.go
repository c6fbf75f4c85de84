package users

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

// FuzzResolve holds that an image's own files of users and groups, and what
// --user and --group-add say, give an identity of bounded size or a classified
// error of one line.
func FuzzResolve(f *testing.F) {
	f.Add("root:x:0:0::/root:/bin/sh\nweb:x:33:33::/var/www:\n", "web:x:33:\nlog:x:4:web\n", "web", "log")
	f.Add("a:x:4294967296:-1:\n:::::\n", "\x00", "1000:1000", "5")
	f.Add("", "", "nobody", "")
	f.Add("x", "g:x:1:"+strings.Repeat("u,", 100), "u", "-1")
	f.Fuzz(func(t *testing.T, passwd, group, who, more string) {
		dir := t.TempDir()
		for name, text := range map[string]string{"passwd": passwd, "group": group} {
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var groups []string
		if more != "" {
			groups = []string{more}
		}
		id, err := Resolve(func(p string) (*os.File, error) {
			if p != "/etc/passwd" && p != "/etc/group" {
				t.Errorf("asked for %s", p)
				return nil, fs.ErrNotExist
			}
			return os.Open(filepath.Join(dir, filepath.Base(p)))
		}, who, groups)
		if err != nil {
			if !errdefs.IsInvalidArgument(err) || len(err.Error()) > 2000+len(who)+len(more) {
				t.Errorf("unclassified or long: %v", err)
			}
			return
		}
		if id.UID > maxID || id.GID > maxID || len(id.Groups) > maxGroups || id.Home == "" {
			t.Errorf("%q is %+v", who, id)
		}
	})
}
