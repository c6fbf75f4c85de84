//go:build linux

package delegate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	task "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Program is the shim that runs Linux containers.
const Program = "containerd-shim-runc-v2"

// file is where a bundle says that its container was passed on, and where to.
const file = "delegate.json"

// Options say for which container another shim is to be started, in the words
// that containerd started this one with.
type Options struct {
	Namespace, ID, Bundle string
	// Address is containerd's socket.
	Address string
	Debug   bool
	// Input is what containerd gave this shim at its start: the other one reads
	// it in the form that its own version knows.
	Input []byte
}

// Task is a container that another shim runs.
type Task struct {
	address address
	client  *ttrpc.Client
}

// find finds the other shim as containerd would: on this process's PATH, which
// is containerd's.
func find() (string, error) {
	path, err := exec.LookPath(Program)
	if err != nil {
		return "", fmt.Errorf("this is a Linux container, and %s, which would run it, is not on containerd's PATH: install it (Docker and containerd bring it along), or give the container a WebAssembly image: %w", Program, errdefs.ErrNotFound)
	}
	return path, nil
}

// command makes the command line and environment of a shim's call
// (containerd's core/runtime/v2/command.go). The environment is this process's,
// which has containerd's addresses in it.
func (o Options) command(ctx context.Context, program string, action ...string) *exec.Cmd {
	args := []string{"-namespace", o.Namespace, "-address", o.Address, "-publish-binary", publisher(), "-id", o.ID}
	if o.Debug {
		args = append(args, "-debug")
	}
	cmd := exec.CommandContext(ctx, program, append(args, action...)...)
	cmd.Dir = o.Bundle
	cmd.Env = append(os.Environ(), "GOMAXPROCS=2", "MAX_SHIM_VERSION=2", "NAMESPACE="+o.Namespace, "GRPC_ADDRESS="+o.Address)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// publisher is the program that publishes events for shims that cannot reach
// containerd's socket.
func publisher() string {
	if path, err := exec.LookPath("containerd"); err == nil {
		return path
	}
	return ""
}

// Start has the other shim started for a container, and connects to it.
func Start(ctx context.Context, o Options) (*Task, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	cmd := o.command(ctx, program, "start")
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(o.Input), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("start %s for a Linux container: %w: %s", Program, err, strings.TrimSpace(stderr.String()))
	}
	a, err := parse(stdout.Bytes())
	if err != nil {
		return nil, fmt.Errorf("start %s for a Linux container: %w", Program, err)
	}
	t, err := connect(a)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(a)
	if err == nil {
		err = os.WriteFile(filepath.Join(o.Bundle, file), data, 0o600)
	}
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("remember who runs the container: %w", err)
	}
	return t, nil
}

func connect(a address) (*Task, error) {
	conn, err := net.Dial("unix", a.path())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", Program, err)
	}
	return &Task{address: a, client: ttrpc.NewClient(conn)}, nil
}

// Call passes a call of the task API on.
func (t *Task) Call(ctx context.Context, method string, request, response proto.Message) error {
	// The messages of both versions of the API are the same on the wire.
	if err := t.client.Call(ctx, service[t.address.Version], method, request, response); err != nil {
		if errors.Is(err, ttrpc.ErrClosed) {
			return fmt.Errorf("%s has ended: %w", Program, errdefs.ErrUnavailable)
		}
		return errgrpc.ToNative(err)
	}
	return nil
}

// Close gives the connection up; the other shim goes on.
func (t *Task) Close() error { return t.client.Close() }

// Delegated tells whether a bundle's container was passed on.
func Delegated(bundle string) bool {
	_, err := os.Stat(filepath.Join(bundle, file))
	return !errors.Is(err, fs.ErrNotExist)
}

// endTime is what a living shim gets to end a container: of the 5 s that
// containerd waits for the delete action some are for the other way.
const endTime = 3 * time.Second

// end has a shim that lives yet end and delete a container, and end itself
// where that was its last one: nobody else has its address any more.
func end(ctx context.Context, o Options) (*task.DeleteResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	var a address
	data, err := os.ReadFile(filepath.Join(o.Bundle, file))
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	if err == nil {
		err = a.check()
	}
	if err != nil {
		return nil, err
	}
	t, err := connect(a)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	// Where it has ended already, Delete says how.
	if err := t.Call(ctx, "Kill", &task.KillRequest{ID: o.ID, Signal: uint32(syscall.SIGKILL), All: true}, &emptypb.Empty{}); err != nil && !errdefs.IsNotFound(err) {
		return nil, err
	}
	if err := t.Call(ctx, "Wait", &task.WaitRequest{ID: o.ID}, &task.WaitResponse{}); err != nil && !errdefs.IsNotFound(err) {
		return nil, err
	}
	resp := &task.DeleteResponse{}
	err = t.Call(ctx, "Delete", &task.DeleteRequest{ID: o.ID}, resp)
	if stop := t.Call(ctx, "Shutdown", &task.ShutdownRequest{ID: o.ID}, &emptypb.Empty{}); stop != nil && !errdefs.IsUnavailable(stop) {
		err = errors.Join(err, stop)
	}
	return resp, err
}

// Delete has the other shim clean up behind a container, after shims have died,
// and gives its answer as it is.
func Delete(ctx context.Context, o Options) ([]byte, error) {
	if resp, err := end(ctx, o); err == nil {
		return proto.Marshal(resp)
	}
	// It has died as well, or does not end the container.
	program, err := find()
	if err != nil {
		return nil, err
	}
	cmd := o.command(ctx, program, "-bundle", o.Bundle, "delete")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("clean up behind a Linux container: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}
