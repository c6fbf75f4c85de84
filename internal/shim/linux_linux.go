package shim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	task "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/errdefs"
	"google.golang.org/protobuf/proto"

	"wherry/internal/shim/bundle"
	"wherry/internal/shim/delegate"
)

// startInput is the file in a bundle that keeps what containerd gave the start
// action on its standard input, for a shim to which the container is passed on.
const startInput = "start.input"

// maxStartInput bounds it, in bytes, as containerd's own shims do.
const maxStartInput = 10 << 20

// keepInput keeps the start action's input in the working directory's bundle.
func keepInput(in io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(in, maxStartInput))
	if err != nil {
		return fmt.Errorf("read what containerd says of the container: %w", err)
	}
	if len(data) == 0 {
		return nil
	}
	return bundle.WriteFile(".", startInput, data)
}

// linuxProgram tells that what a container is to run is a Linux program.
type linuxProgram struct{ error }

func (e linuxProgram) Unwrap() error { return e.error }

// isLinux recognises programs that Linux runs, by their first bytes (execve(2)).
func isLinux(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\x7fELF")) || bytes.HasPrefix(head, []byte("#!"))
}

// passOn has containerd's own shim run a container whose program is a Linux
// one, and answers its Create.
func (s *service) passOn(ctx context.Context, r *task.CreateTaskRequest, why error) (*task.CreateTaskResponse, error) {
	o := s.delegation(r.ID, r.Bundle)
	var err error
	if o.Input, err = os.ReadFile(filepath.Join(r.Bundle, startInput)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	t, err := delegate.Start(ctx, o)
	if errdefs.IsNotFound(err) {
		return nil, fmt.Errorf("%w; %w", why, err)
	}
	if err != nil {
		return nil, err
	}
	resp := &task.CreateTaskResponse{}
	if err := t.Call(ctx, "Create", r, resp); err != nil {
		// It serves nothing then.
		_ = t.Call(ctx, "Shutdown", &task.ShutdownRequest{ID: r.ID, Now: true}, empty)
		t.Close()
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delegated[r.ID] = t
	return resp, nil
}

func (s *service) delegation(id, bundle string) delegate.Options {
	return delegate.Options{Namespace: s.opts.namespace, ID: id, Bundle: bundle, Address: s.opts.address, Debug: s.opts.debug}
}

// elsewhere is the one who runs a container that was passed on; nil where this
// shim does.
func (s *service) elsewhere(id string) *delegate.Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delegated[id]
}

// deleteElsewhere deletes a container that was passed on, or a process of it.
func (s *service) deleteElsewhere(ctx context.Context, t *delegate.Task, r *task.DeleteRequest) (*task.DeleteResponse, error) {
	resp := &task.DeleteResponse{}
	if err := t.Call(ctx, "Delete", r, resp); err != nil || r.ExecID != "" {
		return resp, err
	}
	// containerd 2 asks for no more where the container is one of a pod.
	s.shutdownElsewhere(ctx, r.ID)
	s.endUnneeded()
	return resp, nil
}

// shutdownElsewhere ends the part of a container that was passed on. A shim
// that runs others of the same pod goes on.
func (s *service) shutdownElsewhere(ctx context.Context, id string) {
	t := s.elsewhere(id)
	if t == nil {
		return
	}
	if err := t.Call(ctx, "Shutdown", &task.ShutdownRequest{ID: id}, empty); err != nil && !errdefs.IsUnavailable(err) {
		s.log.Warn("end the shim of a Linux container", "container", id, "error", err)
	}
	t.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.delegated, id)
}

// passing makes a method pass the calls for such containers on.
func passing[Q, R any, PQ interface {
	*Q
	proto.Message
	GetID() string
}, PR interface {
	*R
	proto.Message
}](s *service, name string, call func(context.Context, PQ) (PR, error)) func(context.Context, *Q) (PR, error) {
	return func(ctx context.Context, q *Q) (PR, error) {
		if t := s.elsewhere(PQ(q).GetID()); t != nil {
			r := PR(new(R))
			return r, t.Call(ctx, name, PQ(q), r)
		}
		return call(ctx, q)
	}
}

// removePassedOn is the delete action for a container that was passed on.
func removePassedOn(ctx context.Context, o options, dir string) ([]byte, error) {
	return delegate.Delete(ctx, delegate.Options{Namespace: o.namespace, ID: o.id, Bundle: dir, Address: o.address, Debug: o.debug})
}
