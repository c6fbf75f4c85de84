package shim

import (
	"log/slog"
	"sync"

	"wherry/internal/sandbox"
	"wherry/internal/shim/early"
)

// standby makes a container process while the shim itself gets ready: its
// first Create is sure to come, and finds a process that has begun. The
// function gives it once, to the container of that id.
func standby(id string, log *slog.Logger) func(id string) *sandbox.Standby {
	made := make(chan *sandbox.Standby, 1)
	go func() {
		defer close(made)
		s, err := makeStandby(id)
		if err != nil {
			// Create makes its own then, and tells what is wrong.
			log.Warn("make a container process in advance", "error", err)
			return
		}
		made <- s
	}()
	var once sync.Once
	return func(wanted string) (s *sandbox.Standby) {
		if wanted == id {
			once.Do(func() { s = <-made })
		}
		return s
	}
}

// makeStandby takes the process that was begun beside this one, or makes one.
func makeStandby(id string) (*sandbox.Standby, error) {
	if pid, control, ok := early.Standby(); ok {
		return sandbox.Adopt(id, pid, control)
	}
	return sandbox.Prepare(id)
}
