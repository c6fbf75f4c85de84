package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"wherry/internal/guest"
	"wherry/internal/sandbox/seccomp"
	"wherry/internal/sandbox/wall"
)

// maxMessage bounds what a container process may say, in bytes.
const maxMessage = 1 << 20

// Command describes a container process.
type Command struct {
	// Name is shown in lists of processes: the container's id.
	Name string
	// Config is the guest's. Its descriptors are places in Files. Walls have
	// their own.
	Config guest.Config
	// Walls close the process in: the first that can be built. Without any it
	// has no more than no_new_privs.
	Walls []Walls
	// Stdin, Stdout and Stderr are the guest's own; nil is /dev/null.
	Stdin, Stdout, Stderr *os.File
	// Terminal makes Stdin, which is a terminal then, the controlling one.
	Terminal bool
	// Files are handed down.
	Files []*os.File
	// Seal is what the process may still ask of the kernel once its guest runs.
	Seal seccomp.Profile
	// Place, where not nil, puts the process where its limits hold, before it is
	// told what it will run.
	Place func(pid int) error
	// Pause makes a process that never has a guest: it is ready within its walls,
	// which are made for that, and rests there to its end.
	Pause bool
	// Standby, where not nil, is the process to use, made for the same Name.
	Standby *Standby
}

// message is what a container process tells its shim: once that the guest is
// ready, once how it ended.
type message struct {
	Ready  bool          `json:"ready,omitempty"`
	Result *guest.Result `json:"result,omitempty"`
}

// Process is a running container process.
type Process struct {
	*Child
	conn  *net.UnixConn
	dec   *json.Decoder
	walls Walls
	// result is valid once closed; nil where the process said none.
	result *guest.Result
	closed chan struct{}
}

// Start makes a container process and returns once its guest is instantiated
// and waits for [Process.Run]. The caller's files stay its own.
//
// A guest that cannot start gives an error of the class that its exit code
// stands for: ErrNotFound (127), ErrPermissionDenied (126) or
// ErrInvalidArgument.
func Start(ctx context.Context, c Command) (*Process, error) {
	if len(c.Walls) == 0 {
		w, err := plain(c.Config)
		if err != nil {
			return nil, err
		}
		c.Walls = []Walls{w}
	}
	for i, w := range c.Walls {
		p, err := c.start(ctx, w)
		var notBuilt *wall.Error
		if errors.As(err, &notBuilt) && i < len(c.Walls)-1 {
			c.Standby = nil
			continue
		}
		return p, err
	}
	return nil, nil // not reached: there are walls
}

// start makes the process inside walls. The standby is used up.
func (c Command) start(ctx context.Context, w Walls) (*Process, error) {
	s := c.Standby
	if s != nil && s.plan != nil && !s.holds(w.Plan) {
		s.Discard()
		s = nil
	}
	if s == nil {
		var err error
		if s, err = Prepare(c.Name); err != nil {
			return nil, err
		}
	}
	if s.plan == nil {
		if err := s.Enclose(w.Plan); err != nil {
			s.Discard()
			return nil, err
		}
	}
	c.Config, c.Seal.Jailed = w.Config, w.Jailed
	p := &Process{
		Child:  s.child,
		conn:   s.conn,
		dec:    json.NewDecoder(io.LimitReader(s.conn, maxMessage)),
		walls:  w,
		closed: make(chan struct{}),
	}
	if err := p.prepare(ctx, s, c); err != nil {
		s.Discard()
		return nil, w.reword(err)
	}
	go p.listen()
	return p, nil
}

// reword puts the host's paths into a message that names a jail's.
func (w Walls) reword(err error) error {
	var c classed
	if errors.As(err, &c) {
		c.text = strings.NewReplacer(w.names...).Replace(c.text)
		return c
	}
	return err
}

// prepare hands the configuration over and waits for the guest to be ready.
func (p *Process) prepare(ctx context.Context, s *Standby, c Command) error {
	stop := context.AfterFunc(ctx, func() {
		// It may be building its walls yet, where it hears nothing.
		_ = p.Signal(syscall.SIGKILL)
		p.conn.SetDeadline(time.Unix(1, 0))
	})
	<-s.built
	if s.failed != nil {
		if !stop() {
			return context.Cause(ctx)
		}
		return s.failed
	}
	if c.Place != nil {
		if err := c.Place(p.PID()); err != nil {
			stop()
			return err
		}
	}
	if c.Pause {
		if !stop() {
			return context.Cause(ctx)
		}
		return nil
	}
	err := hand(p.conn, c)
	var m message
	if err == nil {
		err = p.dec.Decode(&m)
	}
	switch {
	case !stop():
		return context.Cause(ctx)
	case err != nil:
		p.Signal(syscall.SIGKILL)
		return fmt.Errorf("the container process ended before its guest was ready (%s)", describe(p.Status()))
	case m.Result != nil:
		return failure(m.Result)
	case !m.Ready:
		return errors.New("the container process did not say that its guest is ready")
	}
	return nil
}

// ErrStaleCode is compiled code that the engine refuses: it must be made anew.
var ErrStaleCode = errors.New("compiled code does not fit")

// failure gives the class of a guest that could not start.
func failure(r *guest.Result) error {
	var class error = errdefs.ErrInvalidArgument
	switch {
	case r.Stale:
		class = ErrStaleCode
	case r.Code == 127:
		class = errdefs.ErrNotFound
	case r.Code == 126:
		class = errdefs.ErrPermissionDenied
	}
	return classed{strings.TrimSpace(r.Reason), class}
}

// classed is an error whose text is the message alone, since users read it.
type classed struct {
	text  string
	class error
}

func (e classed) Error() string { return e.text }
func (e classed) Unwrap() error { return e.class }

// listen takes the last word of the process.
func (p *Process) listen() {
	defer close(p.closed)
	defer p.conn.Close()
	var m message
	if p.dec.Decode(&m) == nil {
		p.result = m.Result
	}
}

// Run lets the guest run.
func (p *Process) Run() error { return p.say(runWord) }

// RunWith is Run with names in place of the configuration's: those of the time
// when the guest starts.
func (p *Process) RunWith(names guest.Names) error {
	text, err := json.Marshal(names)
	if err != nil {
		return fmt.Errorf("start the guest: %w", err)
	}
	return p.say(runWord + " " + string(text))
}

func (p *Process) say(line string) error {
	if _, err := p.conn.Write([]byte(line + "\n")); err != nil {
		return fmt.Errorf("start the guest: %w", err)
	}
	return nil
}

// Result waits for the process's end and gives what it said of its guest. A
// process that was killed, or crashed, has said nothing: the result then has
// the code of its status and a reason in words.
func (p *Process) Result() guest.Result {
	st := p.Status()
	<-p.closed
	if p.result != nil && st.Signal == 0 {
		return *p.result
	}
	return guest.Result{Code: st.Code, Reason: describe(st)}
}

func describe(st Status) string {
	if st.Signal != 0 {
		return fmt.Sprintf("killed by signal %d (%s)", int(st.Signal), unix.SignalName(st.Signal))
	}
	return fmt.Sprintf("exit code %d", st.Code)
}

// controlPair makes the socket between shim and container process.
func controlPair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make the control socket: %w", err)
	}
	f := os.NewFile(uintptr(fds[0]), "control")
	defer f.Close()
	theirs = os.NewFile(uintptr(fds[1]), "control")
	c, err := net.FileConn(f)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("make the control socket: %w", err)
	}
	return c.(*net.UnixConn), theirs, nil
}
