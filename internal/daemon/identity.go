//go:build linux

package daemon

import (
	"os"

	"wherry/internal/daemon/record"
	"wherry/internal/daemon/users"
	"wherry/internal/wasi/host/tree"
)

// identity is who a container's process is. The image alone is asked, not the
// container's own level above it: else a guest could make itself another user
// for its next start.
func identity(rec *record.Container) (users.Identity, error) {
	return identityIn(rec.Image.Tree, rec.Config.User, rec.HostConfig.GroupAdd)
}

func identityIn(root, who string, groups []string) (users.Identity, error) {
	t, err := tree.New(tree.Config{Root: root, NoDevices: true})
	if err != nil {
		return users.Identity{}, err
	}
	defer t.Close()
	dir := t.Root()
	defer dir.Close()
	return users.Resolve(func(path string) (*os.File, error) { return openFile(dir, path) }, who, groups)
}
