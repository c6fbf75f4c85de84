package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/guest"
	"wherry/internal/sandbox/seccomp"
	"wherry/internal/sandbox/wall"
)

// guestName is what a container process is called in lists.
const guestName = "wherry-guest"

// Enclosure says what is to be enclosed.
type Enclosure struct {
	Spec *specs.Spec
	// Config is the guest's, with the host's paths.
	Config guest.Config
	// Code is the path of the compiled code.
	Code string
	// Jail is an empty folder, on which the process's root is built.
	Jail string
	// NoNetwork says that the guest has no network at all, Loopback that the
	// loopback of its new network namespace is to be brought up.
	NoNetwork, Loopback bool
	// Best takes, where this user cannot have the walls of the specification,
	// those that it can have.
	Best bool
}

// Walls are what stands around a container process: the plan by which it
// closes itself in, and the guest's configuration as it looks from inside.
type Walls struct {
	Plan   *wall.Plan
	Config guest.Config
	// Jailed says that the process has a file system of its own.
	Jailed bool
	// names are pairs of a path inside and the host's, for messages.
	names []string
	// binds are what the process may reach.
	binds []wall.Bind
}

// Enclose makes walls: the first that cannot be built gives way to the next.
func Enclose(e Enclosure) ([]Walls, error) {
	h := host()
	opts := wall.Options{Name: guestName, NoNetwork: e.NoNetwork, Loopback: e.Loopback}
	j := jail{e: &e, cfg: e.Config}
	if err := j.fill(); err != nil {
		return nil, err
	}
	opts.Jail = wall.Jail{Dir: e.Jail, Binds: j.binds}
	plan, err := wall.New(e.Spec, h, opts)
	if err != nil {
		return nil, err
	}
	list := []Walls{{Plan: plan, Config: j.cfg, Jailed: true, names: j.names, binds: j.binds}}
	// A kernel without seccomp is one that an emulator plays, qemu's user mode
	// say: it makes no namespaces for root either.
	if !e.Best || h.Privileged && seccomp.Supported() == nil {
		return list, nil
	}
	opts.Lesser = true
	if plan, err = wall.New(e.Spec, h, opts); err != nil {
		return nil, err
	}
	cfg := e.Config
	cfg.CodePath = e.Code
	return append(list, Walls{Plan: plan, Config: cfg, binds: j.binds}), nil
}

// plain are the walls of a process that nothing is said of: it keeps its user
// and its file system.
func plain(cfg guest.Config) (Walls, error) {
	h := host()
	h.Landlock = 0
	plan, err := wall.New(&specs.Spec{Process: &specs.Process{User: specs.User{UID: h.UID, GID: h.GID}}}, h, wall.Options{Name: guestName, Lesser: true})
	return Walls{Plan: plan, Config: cfg}, err
}

// jail collects what a guest's configuration names of the host.
type jail struct {
	e     *Enclosure
	cfg   guest.Config
	binds []wall.Bind
	names []string
}

// Places in the jail.
const (
	imageAt    = "/image"
	upperAt    = "/upper"
	codeAt     = "/code"
	mountsAt   = "/mounts/"
	defaultsAt = "/defaults/"
)

// devices are the harmless ones that a guest may find (package tree).
var devices = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}

// fill puts all that the configuration names into the jail, and the jail's
// paths into the configuration.
func (j *jail) fill() error {
	f := &j.cfg.Files
	j.cfg.CodePath = codeAt
	j.add(wall.Bind{Source: j.e.Code, Target: codeAt, File: true, ReadOnly: true, Exec: true})
	if j.cfg.NoFiles {
		return nil
	}
	if f.Root != "" {
		j.add(wall.Bind{Source: f.Root, Target: imageAt, ReadOnly: !f.Own || f.ReadOnly})
		f.Root = imageAt
	}
	if f.Upper != "" {
		// A level that is only read need not be there.
		if _, err := os.Stat(f.Upper); err == nil || !errors.Is(err, fs.ErrNotExist) {
			j.add(wall.Bind{Source: f.Upper, Target: upperAt, ReadOnly: f.ReadOnly})
		}
		f.Upper = upperAt
	}
	f.Mounts = slices.Clone(f.Mounts)
	for i := range f.Mounts {
		m := &f.Mounts[i]
		b := wall.Bind{Source: m.Source, Target: mountsAt + strconv.Itoa(i), File: m.File, ReadOnly: m.ReadOnly, Recursive: true}
		if m.Tmpfs {
			// The tree still refuses writing where it must.
			b = wall.Bind{Target: b.Target, Host: m.Target, Size: m.Size, Mode: m.Mode}
			m.Tmpfs, m.Size = false, 0
		} else if err := below(&b); err != nil {
			return err
		}
		j.add(b)
		m.Source = b.Target
	}
	f.Defaults = slices.Clone(f.Defaults)
	for i := range f.Defaults {
		if d := &f.Defaults[i]; d.Source != "" {
			at := defaultsAt + strconv.Itoa(i)
			j.add(wall.Bind{Source: d.Source, Target: at, File: true, ReadOnly: true})
			d.Source = at
		}
	}
	if !f.NoDevices {
		for _, path := range devices {
			if exists(path) {
				j.add(wall.Bind{Source: path, Target: path, Device: true})
			}
		}
	}
	return nil
}

func (j *jail) add(b wall.Bind) {
	j.binds = append(j.binds, b)
	if b.Source != "" && b.Source != b.Target {
		j.names = append(j.names, b.Target, b.Source)
	}
}

// below finds what is mounted below a bind's source, where that is a folder.
func below(b *wall.Bind) error {
	if b.File {
		return nil
	}
	source, err := filepath.EvalSymlinks(b.Source)
	if err != nil {
		return err
	}
	b.Below, err = mountedBelow(source)
	return err
}
