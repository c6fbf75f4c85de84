package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"wherry/internal/guest"
	"wherry/internal/sandbox/seccomp"
)

// maxMessage bounds what a container process may say, in bytes.
const maxMessage = 1 << 20

// Command describes a container process.
type Command struct {
	// Name is shown in lists of processes: the container's id.
	Name string
	// Config is the guest's. Its descriptors are places in Files.
	Config guest.Config
	// Stdin, Stdout and Stderr are the guest's own; nil is /dev/null.
	Stdin, Stdout, Stderr *os.File
	// Terminal makes Stdin, which is a terminal then, the controlling one.
	Terminal bool
	// Files are handed down.
	Files []*os.File
	// Rlimits are set before anything of the guest is loaded.
	Rlimits map[int]unix.Rlimit
	// Seal is what the process may still ask of the kernel once its guest runs.
	Seal seccomp.Profile
	// Place, where not nil, puts the process where its limits hold, before it is
	// told what it will run.
	Place func(pid int) error
	// Standby, where not nil, is the process to use, made for the same Name.
	Standby *Standby
}

// message is what a container process tells its shim: once that the guest is
// ready, once how it ended.
type message struct {
	Ready  bool          `json:"ready,omitempty"`
	Result *guest.Result `json:"result,omitempty"`
}

// Standby is a container process that does not know yet what it will run.
// Making it early hides the time that a process takes to begin.
type Standby struct {
	child *Child
	conn  *net.UnixConn
}

// Prepare makes a container process for a container of that name.
func Prepare(name string) (*Standby, error) {
	ours, theirs, err := controlPair()
	if err != nil {
		return nil, err
	}
	child, err := StartChild(&exec.Cmd{
		// The same program, also where its file was replaced meanwhile.
		Path:        "/proc/self/exe",
		Args:        []string{os.Args[0], "guest", name},
		Env:         []string{"GOMAXPROCS=2"},
		Dir:         "/",
		ExtraFiles:  []*os.File{theirs},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	})
	theirs.Close()
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("start the container process: %w", err)
	}
	return &Standby{child, ours}, nil
}

// Adopt takes over a child of this program that was made as Prepare makes
// them, by the program's first thread, and the control socket to it.
func Adopt(pid int, control *os.File) (*Standby, error) {
	defer control.Close()
	child := adoptChild(pid)
	c, err := net.FileConn(control)
	if err != nil {
		_ = child.Signal(syscall.SIGKILL)
		return nil, fmt.Errorf("take over the control socket: %w", err)
	}
	return &Standby{child, c.(*net.UnixConn)}, nil
}

// Discard ends a standby that is not used.
func (s *Standby) Discard() {
	// Where it has ended already that is as well.
	_ = s.child.Signal(syscall.SIGKILL)
	<-s.child.Done()
	s.conn.Close()
}

// Process is a running container process.
type Process struct {
	*Child
	conn *net.UnixConn
	dec  *json.Decoder
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
	s := c.Standby
	if s == nil {
		var err error
		if s, err = Prepare(c.Name); err != nil {
			return nil, err
		}
	}
	p := &Process{
		Child:  s.child,
		conn:   s.conn,
		dec:    json.NewDecoder(io.LimitReader(s.conn, maxMessage)),
		closed: make(chan struct{}),
	}
	if err := p.prepare(ctx, c); err != nil {
		s.Discard()
		return nil, err
	}
	go p.listen()
	return p, nil
}

// prepare hands the configuration over and waits for the guest to be ready.
func (p *Process) prepare(ctx context.Context, c Command) error {
	stop := context.AfterFunc(ctx, func() { p.conn.SetDeadline(time.Unix(1, 0)) })

	limits := map[int]unix.Rlimit{unix.RLIMIT_CORE: {}}
	for which, l := range c.Rlimits {
		limits[which] = l
	}
	for which, l := range limits {
		if err := unix.Prlimit(p.PID(), which, &l, nil); err != nil {
			return fmt.Errorf("set rlimit %d to %d: %w", which, l.Cur, err)
		}
	}
	if c.Place != nil {
		if err := c.Place(p.PID()); err != nil {
			return err
		}
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
func (p *Process) Run() error {
	if _, err := p.conn.Write([]byte("run\n")); err != nil {
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
