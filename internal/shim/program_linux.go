package shim

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"wherry/internal/engine/engines"
	"wherry/internal/guest/code"
	"wherry/internal/image"
	"wherry/internal/module"
	"wherry/internal/sandbox"
	"wherry/internal/shim/bundle"
)

// program is a container's module, open, with what to call in it.
type program struct {
	// name is its path as the container sees it, host as this machine does.
	name, host string
	function   string
	args       []string
	file       *os.File
	size       int64
	// info is what the module says of itself; nil for the text format.
	info *module.Info
}

// findProgram finds and looks at the module of a container.
func findProgram(s *spec) (_ *program, err error) {
	p := &program{function: "_start"}
	if path := s.Annotations[bundle.Module]; path != "" {
		p.name, p.host, p.args = s.Process.Args[0], path, image.StripInit(s.Process.Args)
	} else {
		found, err := resolve(s)
		if err != nil {
			return nil, err
		}
		p.name, p.host, p.args, p.function = found.Path, found.Host, found.Args, found.Func
	}
	fd, err := unix.Open(p.host, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open the module: %w", &os.PathError{Op: "open", Path: p.host, Err: err})
	}
	p.file = os.NewFile(uintptr(fd), p.host)
	if err := p.inspect(); err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

// resolve finds the program in the root file system: the container's own level
// wins over the image.
func resolve(s *spec) (image.Program, error) {
	var mounts []image.Mount
	for _, m := range s.Mounts {
		if t, ok, err := treeMount(m); err == nil && ok && !t.Tmpfs {
			mounts = append(mounts, image.Mount{Target: t.Target, Source: t.Source})
		}
	}
	find := func(dir string) (image.Program, error) {
		return image.ResolveProgram(s.Process.Args, s.Process.Cwd, s.env("PATH"), image.Rootfs{Dir: dir, Mounts: mounts})
	}
	if upper := s.Annotations[bundle.Upper]; upper != "" {
		// Where the tree keeps what a container changed (tree's upper.go).
		upper = filepath.Join(upper, "data")
		if _, err := os.Stat(upper); err == nil {
			if p, err := find(upper); err == nil {
				return p, nil
			}
		}
	}
	return find(s.root)
}

// inspect reads the module's structure, and refuses what cannot run.
func (p *program) inspect() error {
	st, err := p.file.Stat()
	if err != nil {
		return fmt.Errorf("open the module: %w", err)
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("exec: %q: is not a regular file: permission denied: %w", p.name, errdefs.ErrPermissionDenied)
	}
	p.size = st.Size()
	head := make([]byte, 4)
	if _, err := p.file.ReadAt(head, 0); err == nil && string(head) != "\x00asm" && filepath.Ext(p.name) == ".wat" {
		return nil
	}
	if p.info, err = module.Inspect(p.file, p.size); err == nil {
		err = p.info.CheckFunc(p.function)
	}
	if err != nil {
		return fmt.Errorf("exec: %q: exec format error: %w: %w", p.name, err, errdefs.ErrInvalidArgument)
	}
	return nil
}

// key names the compiled code of a program on an engine.
func (c *container) key(ctx context.Context, s *spec, p *program, engine string) (code.Key, code.Cache, error) {
	cache := code.Cache{Dir: s.Annotations[bundle.Cache]}
	if cache.Dir == "" {
		cache.Dir = defaultCache()
	}
	fp, err := cache.Fingerprint(engine, func() (string, error) { return sandbox.Fingerprint(ctx, engine) })
	if err != nil {
		return code.Key{}, cache, err
	}
	sum := digest.Digest(s.Annotations[bundle.ModuleDigest])
	if sum == "" {
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(p.file, 0, p.size)); err != nil {
			return code.Key{}, cache, fmt.Errorf("read the module: %w", err)
		}
		sum = digest.NewDigest(digest.SHA256, h)
	}
	if err := sum.Validate(); err != nil {
		return code.Key{}, cache, fmt.Errorf("annotation %s is %q: %w: %w", bundle.ModuleDigest, sum, err, errdefs.ErrInvalidArgument)
	}
	return code.Key{Module: sum, Fingerprint: fp}, cache, nil
}

// defaultCache is where compiled code is kept when nobody says.
func defaultCache() string {
	if os.Geteuid() == 0 {
		return "/var/lib/wherry/code"
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "wherry", "code")
	}
	return filepath.Join(os.Getenv("HOME"), ".local/share/wherry/code")
}

// compiled gives a program's compiled code, open. While it is being made, the
// bundle says so.
func (c *container) compiled(ctx context.Context, cache code.Cache, key code.Key, p *program, engine string) (*os.File, error) {
	f, ok, err := cache.Lookup(key)
	if ok {
		return f, nil
	}
	if err != nil {
		c.log.Warn("compiled code is not used", "reason", err)
	}
	name := engine
	if name == "" {
		name = engines.Names()[0]
	}
	marker := bundle.Compile{Module: p.name, Size: p.size, Engine: name, Since: time.Now().UTC()}
	if err := bundle.Write(c.bundle, bundle.Compiling, marker); err != nil {
		return nil, err
	}
	defer os.Remove(filepath.Join(c.bundle, bundle.Compiling))
	return cache.Compile(ctx, key, p.file, func(ctx context.Context, in, out *os.File) error {
		if err := sandbox.Compile(ctx, engine, in, out); err != nil {
			return fmt.Errorf("compile %s: %w", p.name, err)
		}
		return nil
	})
}
