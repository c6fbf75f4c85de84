package shim

import (
	"errors"
	"log/slog"
	"os"
	"sync"

	"wherry/internal/guest/code"
	"wherry/internal/sandbox"
	"wherry/internal/shim/early"
)

// first is the container process that a shim makes while it gets ready itself:
// its first Create is sure to come, and finds a process that has begun, and
// stands within its walls as far as they are known before.
type first struct {
	id   string
	done chan struct{}

	mu sync.Mutex
	// Valid once done is closed, until they are taken.
	standby *sandbox.Standby
	err     error
}

// standby makes the process of the container with that id, whose bundle is the
// working directory.
func standby(id string) *first {
	f := &first{id: id, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		if f.standby, f.err = makeStandby(id); f.err == nil {
			f.err = encloseEarly(f.standby)
		}
	}()
	return f
}

// makeStandby takes the process that was begun beside this one, or makes one.
func makeStandby(id string) (*sandbox.Standby, error) {
	if pid, control, ok := early.Standby(); ok {
		return sandbox.Adopt(id, pid, control)
	}
	return sandbox.Prepare(id)
}

// take gives the process once, to the container of its id. Where there is none
// Create makes its own, and tells what is wrong.
func (f *first) take(id string, log *slog.Logger) (s *sandbox.Standby) {
	if id != f.id {
		return nil
	}
	<-f.done
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		log.Warn("make a container process in advance", "error", f.err)
		f.err = nil
	}
	s, f.standby = f.standby, nil
	return s
}

// discard ends the process if nobody took it.
func (f *first) discard(log *slog.Logger) {
	if s := f.take(f.id, log); s != nil {
		s.Discard()
	}
}

// errUnknown says that a container's walls depend on what Create says.
var errUnknown = errors.New("not known yet")

// encloseEarly tells a process its walls before Create asks for the container:
// they take their time, and all that they are made of lies in the bundle, where
// the embedded engine wrote it and where the code is compiled already. Create
// makes the same plan, or starts anew where it makes another.
func encloseEarly(s *sandbox.Standby) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	spec, err := readSpec(dir)
	if err != nil || !spec.embedded() {
		return nil // Create says what is wrong
	}
	cfg, err := config(spec, dir)
	if err != nil {
		return nil
	}
	cache := spec.cache()
	fp, err := cache.Fingerprint(cfg.Engine, func() (string, error) { return "", errUnknown })
	if err != nil {
		return nil
	}
	sum, err := spec.moduleDigest()
	if err != nil || sum == "" {
		return nil
	}
	compiled, ok, _ := cache.Lookup(code.Key{Module: sum, Fingerprint: fp})
	if !ok {
		return nil
	}
	defer compiled.Close()
	walls, err := enclose(spec, cfg, dir, compiled)
	if err != nil {
		return nil
	}
	return s.Enclose(walls[0].Plan)
}
