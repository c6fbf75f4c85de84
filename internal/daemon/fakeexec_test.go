//go:build linux

package daemon

import (
	"context"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"net"
)

// fakeExec is a process whose program prints its arguments' number and ends with
// the code that the task has for it.
type fakeExec struct {
	task   *fakeTask
	stdin  string
	p      *specs.Process
	theirs net.Conn
	err    error
	code   int
}

func (c *fakeConn) Exec(_ context.Context, _ string, p *specs.Process, stdin string) (execTask, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &fakeExec{task: c.fakeTask, p: p, stdin: stdin, code: c.execCode, err: c.execErr}
	c.execs = append(c.execs, e)
	return e, nil
}

func (e *fakeExec) Attach(context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	e.theirs = theirs
	return ours, nil
}

func (e *fakeExec) Start(context.Context) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	if e.theirs != nil {
		go func() {
			_, _ = e.theirs.Write([]byte{1, 0, 0, 0, 0, 0, 0, 2, 'o', 'k'})
			e.theirs.Close()
		}()
	}
	return os.Getpid(), nil
}

func (e *fakeExec) Wait(context.Context) (int, error)            { return e.code, nil }
func (e *fakeExec) Kill(context.Context, uint32) error           { return nil }
func (e *fakeExec) Resize(context.Context, uint32, uint32) error { return nil }
func (e *fakeExec) Delete(context.Context) error                 { return nil }
