//go:build linux

package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/record"
	"wherry/internal/shim/bundle"
	"wherry/internal/shim/client"
)

// fakeShims stands in for the shims of one machine. It outlives daemons, as
// shims do.
type fakeShims struct {
	mu    sync.Mutex
	tasks map[string]*fakeTask // by bundle folder
	// createErr and startErr are answered to the next such calls.
	createErr, startErr error
	// created is called in Create, before it answers.
	created func(*fakeTask)
	deletes int
	// walls is what this machine has, asked how often it was asked for.
	walls bundle.Walls
	asked int
}

type fakeTask struct {
	shims *fakeShims
	id    string
	dir   string

	mu     sync.Mutex
	status taskStatus
	exit   bundle.ExitStatus
	ended  chan struct{}
	killed []uint32
	dead   bool // the shim itself is gone
	gone   chan struct{}
	attach net.Listener
	conns  []net.Conn
	input  chan []byte
	// updates are the limits that were sent, updateErr what is answered to the
	// next, metrics what is measured.
	updates   []*specs.LinuxResources
	updateErr error
	metrics   client.Metrics
	// execs are the processes that were added; execCode and execErr are how the
	// next ones end, or do not start.
	execs    []*fakeExec
	execCode int
	execErr  error
}

func newFakeShims() *fakeShims { return &fakeShims{tasks: map[string]*fakeTask{}} }

func (s *fakeShims) task(dir string) *fakeTask {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tasks[dir]
}

func (s *fakeShims) Start(_ context.Context, id, dir string) (task, error) {
	l, err := net.Listen("unix", filepath.Join(dir, bundle.Attach))
	if err != nil {
		return nil, err
	}
	t := &fakeTask{shims: s, id: id, dir: dir, ended: make(chan struct{}), gone: make(chan struct{}), attach: l, input: make(chan []byte, 16)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.mu.Lock()
			t.conns = append(t.conns, c)
			t.mu.Unlock()
			go func() {
				buf := make([]byte, 1024)
				for {
					n, err := c.Read(buf)
					if n > 0 {
						t.input <- append([]byte{}, buf[:n]...)
					}
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks[dir] = t
	return &fakeConn{fakeTask: t, closed: make(chan struct{})}, nil
}

func (s *fakeShims) Connect(_ context.Context, _, dir string) (task, error) {
	t := s.task(dir)
	if t == nil || t.isDead() {
		return nil, fault.New(errdefs.ErrUnavailable, "the shim is gone")
	}
	return &fakeConn{fakeTask: t, closed: make(chan struct{})}, nil
}

func (s *fakeShims) Delete(_ context.Context, _, dir string) (bundle.ExitStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deletes++
	if t := s.tasks[dir]; t != nil {
		t.end(137, "")
		delete(s.tasks, dir)
	}
	return bundle.ExitStatus{Code: 137, ExitedAt: time.Now()}, nil
}

func (s *fakeShims) Walls(context.Context) (bundle.Walls, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.walls, nil
}

func (t *fakeTask) isDead() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dead
}

// end ends the guest.
func (t *fakeTask) end(code int, reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.status == taskStopped {
		return
	}
	t.status = taskStopped
	t.exit = bundle.ExitStatus{Code: code, Reason: reason, ExitedAt: time.Now()}
	_ = bundle.Write(t.dir, bundle.Exit, t.exit)
	for _, c := range t.conns {
		_ = c.Close()
	}
	_ = t.attach.Close()
	close(t.ended)
}

// crash ends the shim without a word.
func (t *fakeTask) crash() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dead = true
	_ = t.attach.Close()
	close(t.gone)
}

// say sends a frame of output to those who attached.
func (t *fakeTask) say(stream byte, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	frame := append([]byte{stream, 0, 0, 0, 0, 0, 0, byte(len(text))}, text...)
	for _, c := range t.conns {
		_, _ = c.Write(frame)
	}
}

// fakeConn is a daemon's connection to a fake shim.
type fakeConn struct {
	*fakeTask
	once   sync.Once
	closed chan struct{}
}

func (c *fakeConn) Create(context.Context) (int, error) {
	c.shims.mu.Lock()
	err, created := c.shims.createErr, c.shims.created
	c.shims.createErr = nil
	c.shims.mu.Unlock()
	if created != nil {
		created(c.fakeTask)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && c.status == taskStopped {
		err = errors.New("killed while it was created")
	}
	return os.Getpid(), err
}

func (c *fakeConn) Start(context.Context) error {
	c.shims.mu.Lock()
	err := c.shims.startErr
	c.shims.startErr = nil
	c.shims.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.status = taskRunning
	}
	return err
}

func (c *fakeConn) State(context.Context) (taskState, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return taskState{}, fault.New(errdefs.ErrUnavailable, "the shim is gone")
	}
	return taskState{Status: c.status, Pid: os.Getpid(), Exit: c.exit}, nil
}

func (c *fakeConn) Wait(ctx context.Context) (bundle.ExitStatus, error) {
	select {
	case <-c.ended:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.exit, nil
	case <-c.gone:
		return bundle.ExitStatus{}, fault.New(errdefs.ErrUnavailable, "the shim is gone")
	case <-c.closed:
		return bundle.ExitStatus{}, errors.New("closed")
	case <-ctx.Done():
		return bundle.ExitStatus{}, ctx.Err()
	}
}

func (c *fakeConn) Kill(_ context.Context, sig uint32) error {
	c.mu.Lock()
	c.killed = append(c.killed, sig)
	c.mu.Unlock()
	if sig != 28 {
		c.end(128+int(sig), "")
	}
	return nil
}

func (c *fakeConn) set(s taskStatus) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = s
	return nil
}

func (c *fakeConn) Pause(context.Context) error                  { return c.set(taskPaused) }
func (c *fakeConn) Resume(context.Context) error                 { return c.set(taskRunning) }
func (c *fakeConn) Resize(context.Context, uint32, uint32) error { return nil }
func (c *fakeConn) Update(_ context.Context, r *specs.LinuxResources) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.updates = append(c.updates, r)
	err := c.updateErr
	c.updateErr = nil
	return err
}

func (c *fakeConn) Metrics(context.Context) (client.Metrics, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.metrics, nil
}

func (c *fakeConn) Delete(context.Context) error { return nil }

func (c *fakeConn) Shutdown(context.Context) error {
	c.shims.mu.Lock()
	defer c.shims.mu.Unlock()
	if c.shims.tasks[c.dir] == c.fakeTask {
		delete(c.shims.tasks, c.dir)
	}
	return nil
}

func (c *fakeConn) Close() error { c.once.Do(func() { close(c.closed) }); return nil }

// fakePrograms has one image, "app".
type fakePrograms struct {
	tree string
	mu   sync.Mutex
	held map[string]bool
}

func (p *fakePrograms) Program(_ context.Context, holder, ref, _ string) (program, error) {
	if ref != "app" {
		return program{}, fault.NotFound("No such image: %s:latest", ref)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[holder] = true
	return program{
		Image: record.Image{ID: "sha256:abc", Name: ref, Tree: p.tree},
		Config: &container.Config{
			Entrypoint: []string{"/app.wasm"}, Cmd: []string{"serve"}, Env: []string{"A=image", "B=image"},
			Labels: map[string]string{"of": "image"},
		},
	}, nil
}

func (p *fakePrograms) Release(_ context.Context, holder string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.held, holder)
	return nil
}

func (p *fakePrograms) Holders(context.Context) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []string
	for id := range p.held {
		ids = append(ids, id)
	}
	return ids, nil
}

// fakeClock is a clock whose time passes when told; what waits gets its turn
// then.
type fakeClock struct {
	mu    sync.Mutex
	now   time.Time
	waits chan time.Duration // every pause that was asked for
	fire  chan time.Time     // ends one pause
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Now(), waits: make(chan time.Duration, 100), fire: make(chan time.Time)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) After(d time.Duration) <-chan time.Time {
	c.waits <- d
	return c.fire
}

// machine is what outlives a daemon in a test.
type testMachine struct {
	t        *testing.T
	data     string
	run      string
	shims    *fakeShims
	programs *fakePrograms
	clock    clock
}

func newMachine(t *testing.T) *testMachine {
	t.Helper()
	// Sockets lie in the run folder, and a socket's path is short.
	run, err := os.MkdirTemp("", "wd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(run) })
	tree := t.TempDir()
	if err := os.WriteFile(filepath.Join(tree, "app.wasm"), []byte("\x00asm\x01\x00\x00\x00"), 0o644); err != nil {
		t.Fatal(err)
	}
	return &testMachine{
		t: t, data: t.TempDir(), run: run, shims: newFakeShims(), clock: wallClock{},
		programs: &fakePrograms{tree: tree, held: map[string]bool{}},
	}
}

// boot starts a daemon on the machine.
func (m *testMachine) boot() *Daemon {
	m.t.Helper()
	d, err := prepare(Config{DataRoot: m.data, RunRoot: m.run, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		m.t.Fatal(err)
	}
	if d, err = d.open(m.t.Context(), parts{shims: m.shims, images: m.programs, clock: m.clock}); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		if err := d.Close(); err != nil {
			m.t.Error(err)
		}
	})
	return d
}

// create makes a container of the image "app".
func create(t *testing.T, d *Daemon, name string, h *container.HostConfig) string {
	t.Helper()
	r, err := d.ContainerCreate(t.Context(), CreateOptions{Name: name, Request: container.CreateRequest{
		Config: &container.Config{Image: "app"}, HostConfig: h,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

func start(t *testing.T, d *Daemon, id string) {
	t.Helper()
	if err := d.ContainerStart(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

// inspect answers the container's state.
func inspect(t *testing.T, d *Daemon, id string) *container.State {
	t.Helper()
	r, err := d.ContainerInspect(t.Context(), id, false)
	if err != nil {
		t.Fatal(err)
	}
	return r.State
}

// exited waits for the container's next end.
func exited(t *testing.T, wait <-chan container.WaitResponse) int64 {
	t.Helper()
	select {
	case r := <-wait:
		return r.StatusCode
	case <-time.After(20 * time.Second):
		t.Fatal("the wait was not answered within 20 s")
		return -1
	}
}

func waitFor(t *testing.T, d *Daemon, id string, cond container.WaitCondition) <-chan container.WaitResponse {
	t.Helper()
	w, err := d.ContainerWait(t.Context(), id, cond)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// eventually polls for what no event tells.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("within 20 s: %s", what)
		}
	}
}
