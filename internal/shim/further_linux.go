package shim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"wherry/internal/guest"
	"wherry/internal/image"
	"wherry/internal/sandbox"
	"wherry/internal/shim/bundle"
	"wherry/internal/wasi/host/socket"
)

// run makes the process, its guest instantiated and waiting. Code that the
// engine refuses is made anew, once.
func (f *further) run(ctx context.Context) (*sandbox.Process, error) {
	s := f.spec
	p, err := f.program(ctx)
	if err != nil {
		return nil, err
	}
	defer p.file.Close()
	cfg, err := config(s, f.c.bundle)
	if err != nil {
		return nil, err
	}
	cfg.Name, cfg.Func, cfg.Args = p.name, p.function, p.args
	if upper := f.ownUpper(); upper != "" && cfg.Files.Upper != "" {
		cfg.Files.Upper = upper
		if err := f.makeUpper(upper); err != nil {
			return nil, err
		}
	}
	for again := false; ; again = true {
		key, cache, err := f.c.key(ctx, s, p, cfg.Engine)
		if err != nil {
			return nil, err
		}
		compiled, err := f.c.compiled(ctx, cache, key, p, cfg.Engine)
		if err != nil {
			return nil, err
		}
		proc, err := f.begin(ctx, p, cfg, compiled)
		compiled.Close()
		if errors.Is(err, sandbox.ErrStaleCode) && !again {
			if err := cache.Remove(key); err != nil {
				return nil, err
			}
			continue
		}
		return proc, err
	}
}

// begin makes the process with compiled code.
func (f *further) begin(ctx context.Context, p *program, cfg guest.Config, compiled *os.File) (*sandbox.Process, error) {
	s := f.spec
	profile, err := seal(s, cfg)
	if err != nil {
		return nil, err
	}
	cfg.ModuleFD, cfg.CodeFD = 0, 1
	if cfg.Limits.MemoryBytes, cfg.Reserved, err = f.c.guestMemory(s, cfg.Engine, p, compiled); err != nil {
		return nil, err
	}
	if err := letRead(s, compiled); err != nil {
		return nil, err
	}
	walls, done, err := f.c.proc.Join(sandbox.Enclosure{
		Spec: &s.Spec, Config: cfg, Code: compiled.Name(),
		NoNetwork: cfg.Net.Mode == socket.ModeNone,
	})
	if err != nil {
		return nil, err
	}
	defer done()
	stdin, stdout, stderr := f.streams.Guest()
	return sandbox.Start(ctx, sandbox.Command{
		Name: f.c.id, Walls: walls, Files: []*os.File{p.file, compiled},
		Stdin: stdin, Stdout: stdout, Stderr: stderr,
		Terminal: s.Process.Terminal,
		Seal:     profile,
		Place:    f.c.place,
	})
}

// program finds the module: among the container's files, or where the engine
// has put the container's own, which is under its name.
func (f *further) program(ctx context.Context) (*program, error) {
	s := f.spec
	t, err := programFiles(s, f.c.bundle)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	own := s.Annotations[bundle.Module]
	if own != "" {
		own = path.Join("/", image.StripInit(f.c.spec.Process.Args)[0])
	}
	isOwn := false
	found, err := image.ResolveProgram(s.Process.Args, s.Process.Cwd, s.env("PATH"), func(path string) (*os.File, error) {
		if path != own {
			return openIn(t, path)
		}
		isOwn = true
		return os.OpenFile(s.Annotations[bundle.Module], os.O_RDONLY|unix.O_NONBLOCK, 0)
	})
	if err != nil {
		return nil, err
	}
	if !isOwn && s.Annotations[bundle.ModuleDigest] != "" {
		s.Annotations = maps.Clone(s.Annotations)
		delete(s.Annotations, bundle.ModuleDigest)
	}
	p := &program{name: found.Path, host: found.Path, function: found.Func, args: found.Args, file: found.File}
	if err := p.inspect(ctx); err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

// makeUpper makes an upper level's parts for the process's user.
func (f *further) makeUpper(dir string) error {
	uid, gid := f.spec.hostUser()
	for _, part := range []string{"", "data", "white", "work", "tmp"} {
		at := path.Join(dir, part)
		if err := os.Mkdir(at, upperParts[part]); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make a place for the process's files: %w", err)
		}
		if err := os.Lchown(at, uid, gid); err != nil {
			return fmt.Errorf("give user %d a place for its files: %w", uid, err)
		}
	}
	return nil
}
