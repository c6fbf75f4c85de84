//go:build linux

package daemon

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"wherry/internal/daemon/archive"
	"wherry/internal/daemon/record"
	"wherry/internal/image"
	"wherry/internal/module"
	"wherry/internal/shim/bundle"
	"wherry/internal/wasi/host/tree"
)

// portWarnings are what to tell at once of ports that are published for a
// program that cannot listen. The shim says so on the container's stderr, which
// nobody sees of a container that runs by itself. What can't be looked at, such
// as a program on a mount, is left to the shim.
func portWarnings(rec *record.Container) []string {
	if rec.Config.AttachStderr || len(rec.HostConfig.PortBindings) == 0 && !rec.HostConfig.PublishAllPorts {
		return nil
	}
	info, err := inspectProgram(rec)
	if err != nil {
		return nil
	}
	why := info.WhyDeaf(rec.HostConfig.Annotations[bundle.Listen] == bundle.Preopen)
	if why == "" {
		return nil
	}
	return []string{"ports are published, but " + why}
}

// inspectProgram looks at the module that a container will run.
func inspectProgram(rec *record.Container) (*module.Info, error) {
	t, err := tree.New(tree.Config{Root: rec.Image.Tree, NoDevices: true})
	if err != nil {
		return nil, err
	}
	defer t.Close()
	return programIn(t, rec)
}

// programIn looks at the module that a container will run of these files.
func programIn(t *tree.Tree, rec *record.Container) (*module.Info, error) {
	root := t.Root()
	defer root.Close()
	search := ""
	for _, kv := range rec.Config.Env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			search = v
		}
	}
	found, err := image.ResolveProgram(append([]string{rec.Path}, rec.Args...), rec.Config.WorkingDir, search, func(p string) (*os.File, error) {
		return openFile(root, p)
	})
	if err != nil {
		return nil, err
	}
	defer found.File.Close()
	st, err := found.File.Stat()
	if err != nil {
		return nil, err
	}
	return module.Inspect(found.File, st.Size())
}

// openFile opens a file of a tree by its absolute path.
func openFile(root *tree.Dir, p string) (*os.File, error) {
	n, err := root.Open(archive.Relative(p), tree.OpenFlags{Read: true, Follow: true, NonBlock: true})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: p, Err: err}
	}
	defer n.Close()
	f, ok := n.(*tree.File)
	if !ok || f.Type() != tree.TypeRegular {
		return nil, &os.PathError{Op: "open", Path: p, Err: unix.EISDIR}
	}
	fd, err := unix.FcntlInt(uintptr(f.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: p, Err: err}
	}
	return os.NewFile(uintptr(fd), p), nil
}
