package shim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/containerd/containerd/api/events"
	task "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"wherry/internal/guest"
	"wherry/internal/sandbox"
	"wherry/internal/shim/bundle"
	"wherry/internal/shim/stream"
	"wherry/internal/wasi/host/socket"
)

// create takes a container from a request to a process whose guest waits. No
// lock is held meanwhile: a compile may take long, and State and Kill are
// answered. Where it fails nothing is left.
func (c *container) create(ctx context.Context, r *task.CreateTaskRequest) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.mu.Lock()
	c.abort = cancel
	c.mu.Unlock()
	defer func() {
		if err != nil {
			c.release()
		}
	}()

	s, err := readSpec(c.bundle)
	if err != nil {
		return err
	}
	if err := checkHooks(s); err != nil {
		return err
	}
	begin := c.createGuest
	if s.keepsPod() {
		begin = c.createPause
	}
	proc, err := begin(ctx, r, s)
	if err != nil {
		return c.lackedMemory(err)
	}
	c.watchMemory()
	err = bundle.WriteFile(c.bundle, bundle.PID, []byte(strconv.Itoa(proc.PID())))
	if err == nil {
		err = c.createHooks(ctx, s, proc.PID())
	}
	if err != nil {
		_ = proc.Signal(unix.SIGKILL) // it may have ended by itself
		<-proc.Done()
		return errors.Join(err, stopHooks(s, c.id, c.bundle))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proc = proc
	if s.Hooks != nil {
		c.hooks = s
	}
	c.status = created
	go c.watch()
	c.events.publish(topicCreate, &events.TaskCreate{
		ContainerID: c.id, Bundle: c.bundle, Rootfs: r.Rootfs, Pid: uint32(proc.PID()),
		IO: &events.TaskIO{Stdin: r.Stdin, Stdout: r.Stdout, Stderr: r.Stderr, Terminal: r.Terminal},
	})
	return nil
}

// createGuest makes the process of a guest, which waits.
func (c *container) createGuest(ctx context.Context, r *task.CreateTaskRequest, s *spec) (*sandbox.Process, error) {
	if err := c.mountRoot(r.Rootfs, s); err != nil {
		return nil, err
	}
	p, err := findProgram(ctx, s, c.bundle)
	if err != nil {
		return nil, err
	}
	defer p.file.Close()
	ports, err := c.publishPorts(s)
	if err != nil {
		return nil, err
	}
	defer unpublish(ports)
	c.warnings = warnings(s, p, ports)
	if c.streams, err = c.openStreams(r, s); err != nil {
		return nil, err
	}
	defer c.streams.Started()
	cfg, err := config(s, c.bundle)
	if err != nil {
		return nil, err
	}
	cfg.Name, cfg.Func, cfg.Args = p.name, p.function, p.args
	if err := c.makeGroup(s); err != nil {
		return nil, err
	}
	c.memoryLimit, c.spec = s.memoryLimit(), s
	return c.run(ctx, s, p, cfg, ports)
}

// mountRoot mounts the root file system where containerd asks for that. Docker
// and the embedded engine have it in place.
func (c *container) mountRoot(mounts []*types.Mount, s *spec) error {
	if len(mounts) == 0 {
		return nil
	}
	dir := filepath.Join(c.bundle, "rootfs")
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return fmt.Errorf("mount the root file system: %w", err)
	}
	list := make([]mount.Mount, len(mounts))
	for i, m := range mounts {
		list[i] = mount.Mount{Type: m.Type, Source: m.Source, Target: m.Target, Options: m.Options}
	}
	if err := mount.All(list, dir); err != nil {
		return fmt.Errorf("mount the root file system: %w", err)
	}
	c.mounted = dir
	if s.root == "" {
		s.root = dir
	}
	return nil
}

// publishPorts binds the published ports and tells which they are.
func (c *container) publishPorts(s *spec) ([]published, error) {
	var wanted []bundle.Port
	if err := s.annotation(bundle.PublishedPorts, &wanted); err != nil {
		return nil, err
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	ports, err := publish(wanted, s.name(c.id))
	if err != nil {
		return nil, err
	}
	actual := make([]bundle.Port, len(ports))
	for i, p := range ports {
		actual[i] = p.Port
	}
	if err := bundle.Write(c.bundle, bundle.Ports, actual); err != nil {
		unpublish(ports)
		return nil, err
	}
	return ports, nil
}

// warnings are what the user should know of a guest before it runs.
func warnings(s *spec, p *program, ports []published) (lines []string) {
	if p.info == nil {
		return nil
	}
	why := p.info.WhyDeaf(s.Annotations[bundle.Listen] == bundle.Preopen)
	if why == "" {
		return nil
	}
	for _, b := range ports {
		lines = append(lines, fmt.Sprintf("port %d is published, but %s", b.HostPort, why))
	}
	return lines
}

// openStreams opens the container's streams: containerd's where the request
// names some, else the embedded engine's.
func (c *container) openStreams(r *task.CreateTaskRequest, s *spec) (*stream.Streams, error) {
	cfg := stream.Config{
		Terminal: r.Terminal || s.Process.Terminal,
		Stdin:    r.Stdin, Stdout: r.Stdout, Stderr: r.Stderr,
		ID: c.id, Namespace: c.events.namespace,
		Logger: c.log,
	}
	if r.Stdin+r.Stdout+r.Stderr == "" && s.embedded() {
		cfg.Attach = filepath.Join(c.bundle, bundle.Attach)
		switch mode := s.Annotations[bundle.Stdin]; mode {
		case "":
		case bundle.StdinOpen, bundle.StdinOnce:
			cfg.StdinOpen, cfg.StdinOnce = true, mode == bundle.StdinOnce
		default:
			return nil, fmt.Errorf("annotation %s is %q, wanted open or once: %w", bundle.Stdin, mode, errdefs.ErrInvalidArgument)
		}
		maxSize, err := s.number(bundle.LogMaxSize)
		if err != nil {
			return nil, err
		}
		maxFile, err := s.number(bundle.LogMaxFile)
		if err != nil {
			return nil, err
		}
		if path := s.Annotations[bundle.LogPath]; path != "" {
			if cfg.Log, err = stream.OpenJSONLog(path, maxSize, int(min(maxFile, 1000))); err != nil {
				return nil, err
			}
		}
	}
	return stream.Open(cfg)
}

// config is the guest's configuration, but for its program and for what the
// process inherits.
func config(s *spec, bundleDir string) (guest.Config, error) {
	net, err := s.network()
	if err != nil {
		return guest.Config{}, err
	}
	files, err := fileTree(s, bundleDir)
	if err != nil {
		return guest.Config{}, err
	}
	files.Defaults = defaults(s.Hostname, net.Hosts, net.DNS, net.Search)
	s.names(&net)
	return guest.Config{
		Engine: s.engine(os.Args[0]),
		Env:    s.Process.Env, Cwd: s.Process.Cwd, Hostname: s.Hostname,
		Files: files, NoFiles: s.Annotations[bundle.Files] == bundle.NoFiles, Net: net,
	}, nil
}

// run makes the container process, with compiled code and listeners handed
// down. Code that the engine refuses is made anew, once.
func (c *container) run(ctx context.Context, s *spec, p *program, cfg guest.Config, ports []published) (*sandbox.Process, error) {
	profile, err := seal(s, cfg)
	if err != nil {
		return nil, err
	}
	for again := false; ; again = true {
		key, cache, err := c.key(ctx, s, p, cfg.Engine)
		if err != nil {
			return nil, err
		}
		compiled, err := c.compiled(ctx, cache, key, p, cfg.Engine)
		if err != nil {
			return nil, err
		}
		files := []*os.File{p.file, compiled}
		cfg.ModuleFD, cfg.CodeFD, cfg.Net.Published = 0, 1, nil
		for _, b := range ports {
			cfg.Net.Published = append(cfg.Net.Published, socket.Listener{Proto: b.Proto, Port: b.ContainerPort, FD: len(files)})
			files = append(files, b.file)
		}
		if cfg.Limits.MemoryBytes, cfg.Reserved, err = c.guestMemory(s, cfg.Engine, p, compiled); err != nil {
			compiled.Close()
			return nil, err
		}
		walls, err := enclose(s, cfg, c.bundle, compiled)
		if err != nil {
			compiled.Close()
			return nil, err
		}
		stdin, stdout, stderr := c.streams.Guest()
		proc, err := sandbox.Start(ctx, sandbox.Command{
			Name: c.id, Walls: walls, Files: files,
			Stdin: stdin, Stdout: stdout, Stderr: stderr,
			Terminal: s.Process.Terminal || c.request.Terminal,
			Seal:     profile,
			Place:    c.place,
			Standby:  c.standby,
		})
		c.standby = nil
		compiled.Close()
		if errors.Is(err, sandbox.ErrStaleCode) && !again {
			c.log.Warn("compile again", "reason", err)
			if err := cache.Remove(key); err != nil {
				return nil, err
			}
			continue
		}
		return proc, err
	}
}
