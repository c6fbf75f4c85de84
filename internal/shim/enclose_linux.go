package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/guest"
	"wherry/internal/sandbox"
	"wherry/internal/sandbox/wall"
	"wherry/internal/wasi/host/socket"
)

// jailDir is the folder of a bundle on which a container process's root is
// built, in a namespace of mounts of its own: here it stays empty.
const jailDir = "jail"

// makeJail makes that folder.
func makeJail(bundleDir string) (string, error) {
	dir := filepath.Join(bundleDir, jailDir)
	if err := os.Mkdir(dir, 0o711); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make a place for the container's root: %w", err)
	}
	return dir, nil
}

// enclose makes the walls around a container process, and on the host what they
// need.
func enclose(s *spec, cfg guest.Config, bundleDir string, compiled *os.File) ([]sandbox.Walls, error) {
	dir, err := makeJail(bundleDir)
	if err != nil {
		return nil, err
	}
	if err := giveAway(s, cfg, compiled); err != nil {
		return nil, err
	}
	_, ownNetwork := wall.Namespace(&s.Spec, specs.NetworkNamespace)
	return sandbox.Enclose(sandbox.Enclosure{
		Spec: &s.Spec, Config: cfg, Code: compiled.Name(), Jail: dir,
		NoNetwork: cfg.Net.Mode == socket.ModeNone,
		Loopback:  ownNetwork && s.joins(specs.NetworkNamespace) == "" && cfg.Net.Mode == socket.ModeHost,
		Best:      s.embedded(),
	})
}

// upperParts are the folders of an upper level (package tree), with their
// modes.
var upperParts = map[string]os.FileMode{"": 0o700, "data": 0o755, "white": 0o700, "work": 0o700, "tmp": 0o700}

// giveAway lets the container's user into what is the container's own and into
// its code, both made by this process's user. What the upper level holds keeps
// its owners.
func giveAway(s *spec, cfg guest.Config, compiled *os.File) error {
	upper := cfg.Files.Upper
	if upper != "" && !cfg.Files.ReadOnly {
		if err := os.MkdirAll(upper, 0o700); err != nil {
			return fmt.Errorf("make the container's own level: %w", err)
		}
	}
	if err := letRead(s, compiled); err != nil {
		return err
	}
	uid, gid := s.hostUser()
	if os.Geteuid() != 0 || uid == 0 || upper == "" {
		return nil
	}
	for part, mode := range upperParts {
		path := filepath.Join(upper, part)
		if !cfg.Files.ReadOnly {
			if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("make the container's own level: %w", err)
			}
		}
		if err := os.Lchown(path, uid, gid); err != nil && !(cfg.Files.ReadOnly && errors.Is(err, fs.ErrNotExist)) {
			return fmt.Errorf("give the container's own level to user %d: %w", uid, err)
		}
	}
	return nil
}

// letRead lets the container's user read the compiled code.
func letRead(s *spec, compiled *os.File) error {
	uid, _ := s.hostUser()
	if os.Geteuid() != 0 || uid == 0 {
		return nil
	}
	st, err := compiled.Stat()
	if err == nil && st.Mode()&0o444 != 0o444 {
		// Nothing in it is a secret of the host; nobody else reaches its folder.
		err = compiled.Chmod(0o444)
	}
	if err != nil {
		return fmt.Errorf("let user %d read the compiled code: %w", uid, err)
	}
	return nil
}

// hostUser is the container's user as the host knows it.
func (s *spec) hostUser() (uid, gid int) {
	u := s.Process.User
	uid, gid = int(u.UID), int(u.GID)
	if s.Linux == nil {
		return uid, gid
	}
	if _, ok := wall.Namespace(&s.Spec, specs.UserNamespace); ok {
		uid, gid = mapped(s.Linux.UIDMappings, u.UID), mapped(s.Linux.GIDMappings, u.GID)
	}
	return uid, gid
}

func mapped(list []specs.LinuxIDMapping, id uint32) int {
	for _, m := range list {
		if id >= m.ContainerID && id-m.ContainerID < m.Size {
			return int(m.HostID) + int(id-m.ContainerID)
		}
	}
	return int(id)
}

// joins is the path of the namespace of a kind that the container is to join,
// empty for a new one or none.
func (s *spec) joins(t specs.LinuxNamespaceType) string {
	n, _ := wall.Namespace(&s.Spec, t)
	return n.Path
}

// networkMode is what a guest's network is where no annotation says so: the
// sockets of the network namespace that the specification names, and of the
// host's where it names none, as with docker run --network host. The embedded
// engine promises nobody the host's.
func (s *spec) networkMode() string {
	if _, ok := wall.Namespace(&s.Spec, specs.NetworkNamespace); ok || !s.embedded() {
		return socket.ModeHost
	}
	return socket.ModePrivate
}
