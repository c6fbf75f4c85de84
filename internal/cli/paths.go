package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// maxSocketPath is how long a Unix socket's path may be: sun_path has 108
// bytes on Linux, the last of them zero (unix(7)).
const maxSocketPath = 107

// paths is where the embedded engine of this user keeps its things.
type paths struct {
	// Data survives a reboot; Run may lie on a tmpfs.
	Data, Run string
	// Socket is where the engine listens.
	Socket string
}

// findPaths answers from the environment: root's engine is the machine's, a
// user's lies in the XDG folders, or in a folder of the home directory where
// these aren't set. tmp is for a socket whose path is too long otherwise.
//
// Root's login sessions have XDG_RUNTIME_DIR set and root's services don't;
// both must find one engine, so for root the variables count only when
// XDG_DATA_HOME, which nobody sets by default, is among them.
func findPaths(getenv func(string) string, uid int, tmp string) (paths, error) {
	data, run := getenv("XDG_DATA_HOME"), getenv("XDG_RUNTIME_DIR")
	for _, v := range []struct{ name, value string }{{"XDG_DATA_HOME", data}, {"XDG_RUNTIME_DIR", run}} {
		if v.value != "" && !filepath.IsAbs(v.value) {
			return paths{}, fmt.Errorf("%s must be an absolute path, it is %q", v.name, v.value)
		}
	}
	if uid == 0 && data == "" {
		return paths{"/var/lib/wherry", "/run/wherry", "/run/wherry/docker.sock"}, nil
	}
	var p paths
	if data != "" {
		p.Data = filepath.Join(data, "wherry")
	} else {
		home := getenv("HOME")
		if !filepath.IsAbs(home) {
			return paths{}, errors.New("no folder to keep images and containers in: set HOME or XDG_DATA_HOME to an absolute path")
		}
		p.Data = filepath.Join(home, ".local", "share", "wherry")
	}
	if run != "" {
		p.Run = filepath.Join(run, "wherry")
		p.Socket = filepath.Join(p.Run, "docker.sock")
		return p, checkSocketPath(p.Socket, "XDG_RUNTIME_DIR")
	}
	p.Run = filepath.Join(p.Data, "run")
	p.Socket = filepath.Join(p.Run, "docker.sock")
	if len(p.Socket) > maxSocketPath {
		p.Run = filepath.Join(tmp, fmt.Sprintf("wherry-%d", uid))
		p.Socket = filepath.Join(p.Run, "docker.sock")
	}
	return p, checkSocketPath(p.Socket, "XDG_RUNTIME_DIR")
}

// checkSocketPath refuses what the kernel would, but says why.
func checkSocketPath(socket, variable string) error {
	if n := len(socket); n > maxSocketPath {
		return fmt.Errorf("the path of the engine's socket has %d bytes, a Unix socket's may have %d: point %s to a shorter folder (%s)",
			n, maxSocketPath, variable, socket)
	}
	return nil
}

// socketOf takes the path out of a unix:// address.
func socketOf(host string) (string, error) {
	path, ok := strings.CutPrefix(host, "unix://")
	if !ok || !filepath.IsAbs(path) {
		return "", fmt.Errorf("the engine listens on a Unix socket: want unix:///path/to.sock, found %q", host)
	}
	return filepath.Clean(path), checkSocketPath(path, "--host")
}
