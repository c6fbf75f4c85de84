package sandbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"wherry/internal/sandbox/enter"
	"wherry/internal/sandbox/wall"
)

// Standby is a container process that does not know yet what it will run.
// Making it early hides the time that a process takes to begin, and telling it
// its walls early the time that they take.
type Standby struct {
	name  string
	conn  *net.UnixConn
	child *Child // nil until there is one

	// plan is what the process was told, sent its encoded form; nil before.
	plan *wall.Plan
	sent []byte
	// built is closed when the plan has been answered; failed then says why the
	// walls do not stand, if they do not.
	built  chan struct{}
	failed error

	discard sync.Once
}

// Prepare makes a container process for a container of that name. Without cgo
// that can be done only once its namespaces are known: see [Standby.Enclose].
func Prepare(name string) (*Standby, error) {
	s := &Standby{name: name, built: make(chan struct{})}
	if !enter.CanFork {
		return s, nil
	}
	return s, s.begin(&exec.Cmd{SysProcAttr: &syscall.SysProcAttr{}}, nil)
}

// Adopt takes over a child of this program that was made as Prepare makes
// them, by the program's first thread, and the control socket to it.
func Adopt(name string, pid int, control *os.File) (*Standby, error) {
	defer control.Close()
	child := adoptChild(pid, make(chan int, 1))
	c, err := net.FileConn(control)
	if err != nil {
		_ = child.Signal(syscall.SIGKILL)
		return nil, fmt.Errorf("take over the control socket: %w", err)
	}
	s := &Standby{name: name, conn: c.(*net.UnixConn), child: child, built: make(chan struct{})}
	return s, s.passCredentials()
}

// begin starts the process. before is called on the thread that forks.
func (s *Standby) begin(cmd *exec.Cmd, before func() error) error {
	ours, theirs, err := controlPair()
	if err != nil {
		return err
	}
	defer theirs.Close()
	// The same program, also where its file was replaced meanwhile.
	cmd.Path = "/proc/self/exe"
	cmd.Args = []string{os.Args[0], "guest", s.name}
	cmd.Env = []string{"GOMAXPROCS=2"}
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr.Setsid = true
	child, err := startChild(cmd, make(chan int, 1), before)
	if err != nil {
		ours.Close()
		return fmt.Errorf("start the container process: %w", err)
	}
	s.conn, s.child = ours, child
	return s.passCredentials()
}

// passCredentials has the kernel say who wrote what comes from the process: its
// pid changes when it goes on in a namespace of processes.
func (s *Standby) passCredentials() error {
	raw, err := s.conn.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
		}), err)
	}
	if err != nil {
		s.Discard()
		return fmt.Errorf("set up the control socket: %w", err)
	}
	return nil
}

// Enclose tells the process its walls, which it builds in its own time. It is
// called once.
func (s *Standby) Enclose(p *wall.Plan) error {
	sent, err := p.Encode()
	if err != nil {
		return err
	}
	if s.child == nil {
		if err := s.clone(p.Clone); err != nil {
			return err
		}
	}
	s.plan, s.sent = p, sent
	if _, err := s.conn.Write(sent); err != nil {
		close(s.child.next)
		s.failed = fmt.Errorf("tell the container process its walls: %w", err)
		close(s.built)
		return s.failed
	}
	go s.watch()
	return nil
}

// holds tells whether the process was told these walls.
func (s *Standby) holds(p *wall.Plan) bool {
	if s.plan == nil {
		return false
	}
	want, err := p.Encode()
	return err == nil && bytes.Equal(want, s.sent)
}

// clone starts the process in its namespaces, which then are not its own to
// make: see package enter.
func (s *Standby) clone(c wall.Clone) error {
	attr := &syscall.SysProcAttr{Cloneflags: c.Flags}
	if c.Flags&unix.CLONE_NEWUSER != 0 {
		var err error
		if attr.UidMappings, err = mappings(c.Maps.UID); err == nil {
			attr.GidMappings, err = mappings(c.Maps.GID)
		}
		if err != nil {
			return err
		}
		// Whoever is not root there loses its rights with the exec, but for those
		// that are ambient.
		if attr.UidMappings[0].ContainerID != 0 {
			for n := range uintptr(lastCap() + 1) {
				attr.AmbientCaps = append(attr.AmbientCaps, n)
			}
		}
	}
	err := s.begin(&exec.Cmd{SysProcAttr: attr}, func() error { return join(c.Join) })
	var not *wall.Error
	if errno := unix.Errno(0); !errors.As(err, &not) && errors.As(err, &errno) {
		return &wall.Error{What: "make the container's namespaces", Call: "clone", Errno: errno}
	}
	return err
}

// join brings the calling thread, and what it forks, into namespaces.
func join(list []wall.Join) error {
	if len(list) == 0 {
		return nil
	}
	// A thread that shares its working directory can't change its mounts.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	for _, j := range list {
		fd, err := unix.Open(j.Path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, j.Flag)
			unix.Close(fd)
		}
		if errno, ok := err.(unix.Errno); ok {
			return &wall.Error{What: fmt.Sprintf("join the %s namespace %s", j.Kind, j.Path), Call: "setns", Errno: errno}
		}
	}
	return nil
}

// mappings reads lines of ids inside, ids outside and how many.
func mappings(text string) (list []syscall.SysProcIDMap, err error) {
	for line := range strings.Lines(text) {
		var m syscall.SysProcIDMap
		if _, err := fmt.Sscan(line, &m.ContainerID, &m.HostID, &m.Size); err != nil {
			return nil, fmt.Errorf("id mapping %q: %w", line, err)
		}
		list = append(list, m)
	}
	return list, nil
}

// watch takes the answers to the plan.
func (s *Standby) watch() {
	defer close(s.built)
	// Whatever came of it: there is no other successor.
	defer close(s.child.next)
	for {
		kind, step, errno, pid, err := s.answer()
		if err != nil {
			s.failed = fmt.Errorf("the container process ended while its walls were built")
			return
		}
		if pid > 0 && pid != s.child.PID() {
			s.child.succeed(pid)
		}
		switch kind {
		case wall.AnswerDone:
			return
		case wall.AnswerFailed:
			s.failed = s.plan.Failure(step, errno)
			return
		case wall.AnswerAsk:
			if s.failed = s.mapUser(pid); s.failed != nil {
				_ = s.child.Signal(syscall.SIGKILL) // it waits for a word
				return
			}
		default:
			s.failed = fmt.Errorf("the container process said %d of its walls", kind)
			_ = s.child.Signal(syscall.SIGKILL)
			return
		}
	}
}

// answer reads one answer, and who gave it.
func (s *Standby) answer() (kind, step int, errno unix.Errno, pid int, err error) {
	data, oob := make([]byte, wall.AnswerSize), make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	n, oobn, _, _, err := s.conn.ReadMsgUnix(data, oob)
	if err == nil && n < len(data) {
		_, err = io.ReadFull(s.conn, data[n:])
	}
	if err != nil {
		return 0, 0, 0, 0, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return 0, 0, 0, 0, err
	}
	for _, m := range messages {
		if cred, err := unix.ParseUnixCredentials(&m); err == nil {
			pid = int(cred.Pid)
		}
	}
	order := binary.NativeEndian
	return int(order.Uint32(data)), int(order.Uint32(data[4:])), unix.Errno(order.Uint32(data[8:])), pid, nil
}

// mapUser writes the mappings of the user namespace that the process has made,
// and lets it go on.
func (s *Standby) mapUser(pid int) error {
	dir := "/proc/" + strconv.Itoa(pid)
	for _, m := range []struct{ file, text string }{{"uid_map", s.plan.Maps.UID}, {"gid_map", s.plan.Maps.GID}} {
		if err := os.WriteFile(dir+"/"+m.file, []byte(m.text), 0); err != nil {
			return fmt.Errorf("map the user namespace: %w", err)
		}
	}
	_, err := s.conn.Write([]byte{0})
	return err
}

// Discard ends a standby that is not used.
func (s *Standby) Discard() {
	if s.child == nil {
		return
	}
	s.discard.Do(func() {
		// Where it has ended already that is as well.
		_ = s.child.Signal(syscall.SIGKILL)
		if s.plan == nil {
			close(s.child.next)
		}
		<-s.child.Done()
		s.conn.Close()
	})
}
