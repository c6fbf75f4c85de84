//go:build linux

package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"wherry/internal/daemon/event"
	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/name"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/volume"
	"wherry/internal/store"
)

// Daemon is the embedded engine. Its methods may be called at the same time;
// each answers errors of errdefs' classes in words for people.
type Daemon struct {
	cfg     Config
	log     *slog.Logger
	clock   clock
	shims   shims
	images  programs
	store   *store.Store
	records *record.Store
	volumes *volume.Store
	events  *event.Bus
	names   name.Registry
	lock    *os.File
	started time.Time
	walls   wallsOnce
	execs   executions
	may     mayCache

	// ctx ends when the daemon closes; what follows containers ends with it,
	// the containers do not.
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu         sync.Mutex
	containers map[string]*ctr
	closed     bool
}

// clock is the time, so that tests of the restart policy need not wait.
type clock interface {
	Now() time.Time
	After(time.Duration) <-chan time.Time
}

type wallClock struct{}

func (wallClock) Now() time.Time                         { return time.Now() }
func (wallClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// eventsKept is how many events a client may ask for after they happened.
const eventsKept = 1024

// parts are what a test puts in place of the shim and the image store.
type parts struct {
	shims  shims
	images programs
	clock  clock
}

// New opens the data root, finds the containers that outlived the last
// daemon, and starts again those whose restart policy says so. A data root
// that another daemon uses is errdefs.ErrUnavailable.
func New(ctx context.Context, cfg Config) (*Daemon, error) {
	if cfg.ShimPath == "" {
		return nil, fault.Invalid("no shim program was given: want the path of containerd-shim-wherry-v1")
	}
	if _, err := os.Stat(cfg.ShimPath); err != nil {
		return nil, fmt.Errorf("the shim program, without which no container runs: %w", err)
	}
	d, err := prepare(cfg)
	if err != nil {
		return nil, err
	}
	if d.store, err = store.Open(filepath.Join(cfg.DataRoot, "images")); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d.open(ctx, parts{
		shims:  newShims(cfg),
		images: storePrograms{d.store},
		clock:  wallClock{},
	})
}

// prepare makes the folders and takes the lock.
func prepare(cfg Config) (*Daemon, error) {
	for _, dir := range []*string{&cfg.DataRoot, &cfg.RunRoot} {
		abs, err := filepath.Abs(*dir)
		if err != nil || *dir == "" {
			return nil, fault.Invalid("no data or run folder was given")
		}
		*dir = abs
	}
	d := &Daemon{cfg: cfg, log: cfg.Logger, containers: map[string]*ctr{}, started: time.Now()}
	if d.log == nil {
		d.log = slog.Default()
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	for _, dir := range []string{cfg.DataRoot, cfg.RunRoot, d.bundles(), d.cache()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	var err error
	d.lock, err = takeLock(filepath.Join(cfg.DataRoot, "lock"))
	return d, err
}

func (d *Daemon) open(ctx context.Context, p parts) (*Daemon, error) {
	d.shims, d.images, d.clock = p.shims, p.images, p.clock
	d.events = event.NewBus(eventsKept)
	trash := filepath.Join(d.cfg.DataRoot, "tmp")
	err := func() (err error) {
		if d.records, err = record.Open(filepath.Join(d.cfg.DataRoot, "containers"), trash); err != nil {
			return err
		}
		d.volumes, err = volume.Open(filepath.Join(d.cfg.DataRoot, "volumes"), trash, func(name string, err error) {
			d.log.Error("a folder among the volumes is no volume; it is left alone", "name", name, "error", err)
		})
		if err != nil {
			return err
		}
		return d.restore(ctx)
	}()
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Close ends the daemon. Containers go on.
func (d *Daemon) Close() error {
	d.mu.Lock()
	closed := d.closed
	d.closed = true
	d.mu.Unlock()
	if closed {
		return nil
	}
	d.cancel()
	d.wg.Wait()
	d.mu.Lock()
	all := make([]*ctr, 0, len(d.containers))
	for _, c := range d.containers {
		all = append(all, c)
	}
	d.mu.Unlock()
	for _, c := range all {
		c.disconnect()
	}
	var err error
	if d.store != nil {
		err = d.store.Close()
	}
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

// bundles is the folder of the running containers' bundles.
func (d *Daemon) bundles() string { return filepath.Join(d.cfg.RunRoot, "bundles") }

func (d *Daemon) bundle(id string) string { return filepath.Join(d.bundles(), id) }

// cache is the folder of compiled code.
func (d *Daemon) cache() string { return filepath.Join(d.cfg.DataRoot, "code") }

// find answers the container that ref stands for.
func (d *Daemon) find(ref string) (*ctr, error) {
	id, err := d.names.Find(ref)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.containers[id]
	if !ok {
		return nil, fault.NotFound("No such container: %s", ref)
	}
	return c, nil
}

// all answers the containers, in no order.
func (d *Daemon) all() []*ctr {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]*ctr, 0, len(d.containers))
	for _, c := range d.containers {
		all = append(all, c)
	}
	return all
}

// spawn runs f beside everything else; Close waits for it. After Close it does
// not run.
func (d *Daemon) spawn(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.wg.Add(1)
	go func() {
		defer d.wg.Done()
		f()
	}()
}

// takeLock holds path for this process; the kernel lets go of it however the
// process ends.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		owner, _ := io.ReadAll(io.LimitReader(f, 32))
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fault.New(errUnavailable, "%s is in use by another wherry daemon (pid %s): stop that one, or give another --data-root",
				filepath.Dir(path), strings.TrimSpace(string(owner)))
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err = f.Truncate(0); err == nil {
		_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
