package sandbox

import (
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"wherry/internal/sandbox/enter"
	"wherry/internal/sandbox/wall"
)

// namespaceFiles are the names of namespaces in /proc/PID/ns.
var namespaceFiles = map[specs.LinuxNamespaceType]string{
	specs.IPCNamespace: "ipc", specs.UTSNamespace: "uts", specs.NetworkNamespace: "net",
	specs.CgroupNamespace: "cgroup", specs.PIDNamespace: "pid", specs.TimeNamespace: "time",
	specs.MountNamespace: "mnt", specs.UserNamespace: "user",
}

// Join makes the walls of a further process in this one's container: what
// Enclose makes, with the container's own namespaces and jail. e says what is
// to run; its Jail is not used, and of its files an upper level that is another
// than the container's. done is called when the process was started, or
// will not be.
func (p *Process) Join(e Enclosure) (_ []Walls, done func(), err error) {
	opts := wall.Options{Name: guestName, NoNetwork: e.NoNetwork}
	opts.Jail.Binds = slices.Clone(p.walls.binds)
	var over []wall.Bind
	for i := range opts.Jail.Binds {
		switch b := &opts.Jail.Binds[i]; {
		case b.Target == codeAt:
			b.Source = e.Code
			over = append(over, *b)
		case b.Target == upperAt && b.Source != e.Config.Files.Upper:
			b.Source = e.Config.Files.Upper
			over = append(over, *b)
		}
	}
	w := Walls{Config: e.Config, Jailed: p.walls.Jailed, binds: opts.Jail.Binds}
	done = func() {}
	if !p.walls.Jailed {
		w.Config.CodePath = e.Code
		opts.Lesser = true
	} else {
		if !enter.CanFork {
			return nil, nil, fmt.Errorf("run another program in the container: this build of the shim cannot (CGO_ENABLED=0): %w", errdefs.ErrNotImplemented)
		}
		w.Config.CodePath, w.Config.Files = codeAt, p.walls.Config.Files
		for _, b := range over {
			w.names = append(w.names, b.Target, b.Source)
		}
		w.names = append(w.names, p.walls.names...)
		opts.Joined = &wall.Joined{Over: over}
		if opts.Joined.Namespaces, done, err = p.namespaces(e); err != nil {
			return nil, nil, err
		}
	}
	if w.Plan, err = wall.New(e.Spec, host(), opts); err != nil {
		done()
		return nil, nil, err
	}
	return []Walls{w}, done, nil
}

// namespaces opens the process's namespaces, those that it does not share with
// this program, and gives paths to them: the process may end, and its pid be
// another's, before they are used.
func (p *Process) namespaces(e Enclosure) (_ map[specs.LinuxNamespaceType]string, done func(), err error) {
	var files []*os.File
	done = func() {
		for _, f := range files {
			f.Close()
		}
	}
	defer func() {
		if err != nil {
			done()
		}
	}()
	kinds := []specs.LinuxNamespaceType{specs.MountNamespace}
	if e.Spec.Linux != nil {
		for _, n := range e.Spec.Linux.Namespaces {
			if n.Type != specs.MountNamespace {
				kinds = append(kinds, n.Type)
			}
		}
	}
	if e.NoNetwork && !slices.Contains(kinds, specs.NetworkNamespace) {
		kinds = append(kinds, specs.NetworkNamespace)
	}
	if !host().Privileged && !slices.Contains(kinds, specs.UserNamespace) {
		kinds = append(kinds, specs.UserNamespace)
	}
	paths := map[specs.LinuxNamespaceType]string{}
	for _, kind := range kinds {
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", p.PID(), namespaceFiles[kind]))
		if err != nil {
			return nil, nil, fmt.Errorf("find the container's %s namespace: %w", kind, err)
		}
		files = append(files, f)
		paths[kind] = "/proc/" + strconv.Itoa(os.Getpid()) + "/fd/" + strconv.Itoa(int(f.Fd()))
	}
	// As long as it can be signalled its pid has been its own.
	if err := p.Signal(unix.Signal(0)); err != nil {
		return nil, nil, fmt.Errorf("join the container: it has ended: %w", errdefs.ErrFailedPrecondition)
	}
	return paths, done, nil
}
