//go:build linux

package server

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// ready is the pipe to the command line that started this engine, if one did.
type ready struct{ w io.WriteCloser }

func newReady(fd int) *ready {
	if fd < 3 {
		return &ready{}
	}
	unix.CloseOnExec(fd) // shims must not keep it open
	return &ready{os.NewFile(uintptr(fd), "ready")}
}

// say tells once that the engine listens, or why it doesn't.
func (r *ready) say(err error) {
	if r.w == nil {
		return
	}
	word := readyWord
	if err != nil {
		word = err.Error()
	}
	// The other side may have gone; the engine stays for the next one.
	_, _ = io.WriteString(r.w, word)
	r.w.Close()
	r.w = nil
}

// readyWord is what an engine started on demand says when it listens; anything
// else is why it can't.
const readyWord = "ready"
