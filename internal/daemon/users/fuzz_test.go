package users

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerd/errdefs"
)

// FuzzResolve gives images' files: nobody becomes a user that the kernel does
// not know, and what is refused is refused with a class.
func FuzzResolve(f *testing.F) {
	f.Add(passwd, group, "app", "logs")
	f.Add("a:x:4294967296:0::/:", "g:x:-1:a", "a:g", "g")
	f.Add("::::::", ":::,", ":", "")
	dir, err := os.MkdirTemp("", "users")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { os.RemoveAll(dir) })
	f.Fuzz(func(t *testing.T, passwd, group, who, more string) {
		for name, text := range map[string]string{"passwd": passwd, "group": group} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		open := func(path string) (*os.File, error) { return os.Open(filepath.Join(dir, filepath.Base(path))) }
		id, err := Resolve(open, who, []string{more})
		if err != nil {
			if !errors.Is(err, errdefs.ErrInvalidArgument) {
				t.Errorf("%v has no class", err)
			}
			return
		}
		if id.UID > maxID || id.GID > maxID || len(id.Groups) == 0 || id.Groups[0] != id.GID || id.Home == "" || id.Home[0] != '/' {
			t.Errorf("%+v", id)
		}
	})
}
