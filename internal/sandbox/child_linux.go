package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Status is how a child process ended.
type Status struct {
	// Code is the exit code; 128+Signal where a signal ended it.
	Code int
	// Signal is what ended the process, 0 where it exited by itself.
	Signal syscall.Signal
	// At is when its end was seen.
	At time.Time
}

// Child is a process that was started with [StartChild].
type Child struct {
	done   chan struct{}
	status Status // valid once done is closed
	// next gives the pid of the process in which this one goes on after it has
	// ended with exit code 0, and is closed where there is none. It is nil for a
	// child that never does so.
	next chan int

	mu  sync.Mutex
	pid int
	// pidfd names the process even where its pid was taken by another one; -1
	// once it has ended.
	pidfd int
	// doomed says that the child was told to end, and with it a successor.
	doomed bool
}

// StartChild starts cmd without new privileges, to be killed when the calling
// program ends, and waits for its end in the background. Nothing else may wait
// for it.
//
// Each child has an operating system thread of its own in this program, locked
// for the child's whole life, because the kernel ties two things to the thread
// that forks: no_new_privs, which the child inherits from it, and the death
// signal, which is sent when that thread ends. The thread blocks in wait4 for
// this one child. So there is no reaper that could take another's exit code,
// and none is lost.
func StartChild(cmd *exec.Cmd) (*Child, error) {
	return startChild(cmd, nil, nil)
}

// startChild is StartChild for a child with a successor, if next is not nil: it
// ties itself to this program. before is called on the thread that forks, which
// has no other use.
func startChild(cmd *exec.Cmd, next chan int, before func() error) (*Child, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if next == nil {
		// Go's way of asking has a child kill itself that is born into another
		// namespace of processes, where it finds no parent.
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}

	c := &Child{done: make(chan struct{}), next: next, pidfd: -1}
	started := make(chan error, 1)
	onOwnThread(func() {
		if before != nil {
			if err := before(); err != nil {
				started <- err
				return
			}
		}
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			started <- fmt.Errorf("set no_new_privs: %w", err)
			return
		}
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		c.open(cmd.Process.Pid)
		cmd.Process.Release()
		started <- nil
		c.wait()
	})
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// adoptChild is StartChild for a child that this program has already.
func adoptChild(pid int, next chan int) *Child {
	c := &Child{done: make(chan struct{}), next: next, pidfd: -1}
	c.open(pid)
	onOwnThread(c.wait)
	return c
}

// open notes the pid, which is the child's until wait has collected it. Asking
// clone for the pidfd instead fails under qemu's user mode.
func (c *Child) open(pid int) {
	c.pid = pid
	if fd, err := unix.PidfdOpen(pid, 0); err == nil {
		c.pidfd = fd
	}
}

// onOwnThread runs f on a thread that is f's alone and ends with it. It is not
// the program's first thread, which cannot end, and which stands for the whole
// program in /proc.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// Hold it until f has another.
			taken := make(chan struct{})
			onOwnThread(func() { close(taken); f() })
			<-taken
			runtime.UnlockOSThread()
			return
		}
		// Never unlocked: the runtime then ends the thread.
		f()
	}()
}

// succeed takes note of the process in which the child goes on: one that it
// made as this program's child, so that only wait collects it.
func (c *Child) succeed(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pidfd >= 0 {
		unix.Close(c.pidfd)
		c.pidfd = -1
	}
	c.open(pid)
	if c.doomed {
		// It is there: nobody has collected it.
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	c.next <- pid
}

// wait collects the child on the thread that made it.
func (c *Child) wait() {
	defer c.end()
	var ws syscall.WaitStatus
	for pid := c.PID(); ; {
		_, err := syscall.Wait4(pid, &ws, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err == nil && ws.Exited() && ws.ExitStatus() == 0 && c.next != nil {
			if next, ok := <-c.next; ok {
				pid = next
				continue
			}
		}
		c.status.At = time.Now()
		switch {
		case err != nil:
			// Only somebody else's wait could have taken it.
			c.status.Code = 255
		case ws.Signaled():
			c.status.Signal = ws.Signal()
			c.status.Code = 128 + int(ws.Signal())
		default:
			c.status.Code = ws.ExitStatus()
		}
		return
	}
}

// end gives the pidfd back and tells everybody.
func (c *Child) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pidfd >= 0 {
		unix.Close(c.pidfd)
		c.pidfd = -1
	}
	close(c.done)
}

// PID is the child's pid. It may belong to another process once the child has
// ended.
func (c *Child) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pid
}

// Done is closed when the child has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Status waits for the child's end and says how it ended.
func (c *Child) Status() Status {
	<-c.done
	return c.status
}

// Signal sends a signal. A child that has ended gives os.ErrProcessDone.
func (c *Child) Signal(sig syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.done:
		return os.ErrProcessDone
	default:
	}
	c.doomed = c.doomed || sig == syscall.SIGKILL
	var err error
	if c.pidfd >= 0 {
		err = unix.PidfdSendSignal(c.pidfd, sig, nil, 0)
	} else {
		// No pidfd on this kernel. The pid is still the child's: it is only
		// reaped just before done is closed.
		err = unix.Kill(c.pid, sig)
	}
	if err == unix.ESRCH {
		// A successor, if there is one, gets the signal when it is known.
		return os.ErrProcessDone
	}
	return err
}

// AwaitStop returns when the child is stopped, as SIGSTOP asks for in its own
// time, or has ended.
func (c *Child) AwaitStop() error {
	for {
		// Taking note of a stop takes nothing from the thread that waits for
		// the end.
		err := unix.Waitid(unix.P_PID, c.PID(), nil, unix.WSTOPPED, nil)
		switch err {
		case unix.EINTR:
			continue
		case nil, unix.ECHILD:
			return nil
		}
		return os.NewSyscallError("waitid", err)
	}
}
