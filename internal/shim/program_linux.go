package shim

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	"wherry/internal/wasi/host/tree"
)

// program is a container's module, open, with what to call in it.
type program struct {
	// name is its path as the container sees it, host the file's on this
	// machine where it is known, for messages.
	name, host string
	function   string
	args       []string
	file       *os.File
	size       int64
	// private tells that file is this process's own, made from the text format.
	private bool
	// info is what the module says of itself.
	info *module.Info
}

// findProgram finds and looks at the module of a container.
func findProgram(ctx context.Context, s *spec, bundleDir string) (*program, error) {
	p, err := openProgram(s, bundleDir)
	if err != nil {
		return nil, err
	}
	if err := p.inspect(ctx); err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

// openProgram opens the module where the engine has put it, or looks for it
// among the container's files.
func openProgram(s *spec, bundleDir string) (*program, error) {
	if path := s.Annotations[bundle.Module]; path != "" {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return nil, fmt.Errorf("open the module: %w", &os.PathError{Op: "open", Path: path, Err: err})
		}
		args := image.StripInit(s.Process.Args)
		return &program{name: args[0], host: path, function: "_start", args: args, file: os.NewFile(uintptr(fd), path)}, nil
	}
	t, err := programFiles(s, bundleDir)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	found, err := image.ResolveProgram(s.Process.Args, s.Process.Cwd, s.env("PATH"), func(path string) (*os.File, error) {
		return openIn(t, path)
	})
	if err != nil {
		return nil, err
	}
	return &program{name: found.Path, host: found.Path, function: found.Func, args: found.Args, file: found.File}, nil
}

// programFiles are the container's files in which a program is looked for.
func programFiles(s *spec, bundleDir string) (*tree.Tree, error) {
	files, err := fileTree(s, bundleDir)
	if err != nil {
		return nil, err
	}
	files.NoDevices = true
	// Nothing is written for looking; a tmpfs holds no program.
	files.ReadOnly = true
	files.Mounts = slices.DeleteFunc(files.Mounts, func(m tree.Mount) bool { return m.Tmpfs })
	t, err := tree.New(files)
	if err != nil {
		return nil, fmt.Errorf("the container's files: %w", err)
	}
	return t, nil
}

// openIn opens a file as the container sees it.
func openIn(t *tree.Tree, path string) (*os.File, error) {
	root := t.Root()
	defer root.Close()
	relative := strings.TrimPrefix(path, "/")
	if relative == "" {
		relative = "."
	}
	node, err := root.Open(relative, tree.OpenFlags{Read: true, Follow: true, NonBlock: true})
	if errors.Is(err, unix.ENOTDIR) {
		err = unix.ENOENT // nothing is below a file
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer node.Close()
	f, ok := node.(*tree.File)
	if !ok {
		return nil, &os.PathError{Op: "open", Path: path, Err: unix.EISDIR}
	}
	fd, err := unix.FcntlInt(uintptr(f.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// inspect reads the module's structure, and refuses what cannot run. A module
// in the text format is turned into the binary format before, away from here.
func (p *program) inspect(ctx context.Context) error {
	st, err := p.file.Stat()
	if err != nil {
		return fmt.Errorf("open the module: %w", err)
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("exec: %q: is not a regular file: permission denied: %w", p.name, errdefs.ErrPermissionDenied)
	}
	head := make([]byte, 512)
	n, err := p.file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the module: %w", err)
	}
	if p.size = st.Size(); p.size > code.MaxModule && !isLinux(head[:n]) {
		return p.unusable(fmt.Errorf("it has %d bytes; at most %d are taken", p.size, int64(code.MaxModule)))
	}
	if module.IsText(p.name, head[:n]) {
		if err := p.translate(ctx); err != nil {
			return p.unusable(err)
		}
	}
	if p.info, err = module.Inspect(p.file, p.size); err == nil {
		err = p.info.CheckFunc(p.function)
	}
	switch {
	case err != nil && isLinux(head[:n]):
		return linuxProgram{p.unusable(err)}
	case err != nil:
		return p.unusable(err)
	}
	return nil
}

// unusable words why the program cannot run as the kernel does, with what is
// wrong behind it.
func (p *program) unusable(err error) error {
	return fmt.Errorf("exec: %q: exec format error: %w: %w", p.name, err, errdefs.ErrInvalidArgument)
}

// translate puts the binary format in the text format's place.
func (p *program) translate(ctx context.Context) error {
	binary, err := memory()
	if err != nil {
		return err
	}
	if err := sandbox.ParseText(ctx, p.file, binary); err != nil {
		binary.Close()
		return err
	}
	st, err := binary.Stat()
	if err != nil {
		binary.Close()
		return err
	}
	p.file.Close()
	p.file, p.size, p.private = binary, st.Size(), true
	return nil
}

// memory is a file without a name.
func memory() (*os.File, error) {
	fd, err := unix.MemfdCreate("module", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make room for the module: %w", os.NewSyscallError("memfd_create", err))
	}
	return os.NewFile(uintptr(fd), "module"), nil
}

// key names the compiled code of a program on an engine.
func (c *container) key(ctx context.Context, s *spec, p *program, engine string) (code.Key, code.Cache, error) {
	cache := s.cache()
	fp, err := cache.Fingerprint(engine, func() (string, error) { return sandbox.Fingerprint(ctx, engine) })
	if err != nil {
		return code.Key{}, cache, err
	}
	sum, err := s.moduleDigest()
	if err != nil {
		return code.Key{}, cache, err
	}
	if sum == "" || p.private {
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(p.file, 0, p.size)); err != nil {
			return code.Key{}, cache, fmt.Errorf("read the module: %w", err)
		}
		sum = digest.NewDigest(digest.SHA256, h)
	}
	return code.Key{Module: sum, Fingerprint: fp}, cache, nil
}

// cache is where the container's compiled code is kept.
func (s *spec) cache() code.Cache {
	if dir := s.Annotations[bundle.Cache]; dir != "" {
		return code.Cache{Dir: dir}
	}
	return code.Cache{Dir: defaultCache()}
}

// moduleDigest is the module's digest where the engine knows it, else empty.
func (s *spec) moduleDigest() (digest.Digest, error) {
	sum := digest.Digest(s.Annotations[bundle.ModuleDigest])
	if sum == "" {
		return "", nil
	}
	if err := sum.Validate(); err != nil {
		return "", fmt.Errorf("annotation %s is %q: %w: %w", bundle.ModuleDigest, sum, err, errdefs.ErrInvalidArgument)
	}
	return sum, nil
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
	return cache.Compile(ctx, key, p.file, func(ctx context.Context, _, out *os.File) error {
		in, err := p.snapshot(key.Module)
		if err != nil {
			return err
		}
		defer in.Close()
		err = sandbox.Compile(ctx, engine, in, out)
		if errdefs.IsInvalidArgument(err) {
			return p.unusable(err)
		}
		if err != nil {
			return fmt.Errorf("compile %s: %w", p.name, err)
		}
		return nil
	})
}

// snapshot copies the module to where nobody else can write it, and holds that
// it is the one it was taken for. Guests write to their own level and to
// volumes: one that changes a file between its hashing and its compiling must
// not get code of its making under another module's name.
func (p *program) snapshot(want digest.Digest) (_ *os.File, err error) {
	copied, err := memory()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			copied.Close()
		}
	}()
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(copied, h), io.NewSectionReader(p.file, 0, p.size)); err != nil {
		return nil, fmt.Errorf("read the module: %w", err)
	}
	if found := digest.NewDigest(digest.SHA256, h); found != want {
		return nil, fmt.Errorf("the module %s is damaged or was changed: wanted %s, found %s in %s; remove the image (wherry rmi -f) and pull, load or build it again: %w",
			p.name, want, found, p.host, errdefs.ErrDataLoss)
	}
	return copied, nil
}
