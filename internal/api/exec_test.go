package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"wherry/internal/api/apitest"
	"wherry/internal/daemon"
)

// executing is a backend whose exec gives its input back in capitals.
func executing(tty bool, fail error) *apitest.Backend {
	return &apitest.Backend{
		ContainerExecCreateFunc: func(_ context.Context, id string, r container.ExecCreateRequest) (string, error) {
			return id + ":" + strings.Join(r.Cmd, "+"), nil
		},
		ContainerExecInspectFunc: func(_ context.Context, id string) (container.ExecInspectResponse, error) {
			code := 3
			return container.ExecInspectResponse{
				ID: id, OpenStdin: true, OpenStdout: true, OpenStderr: true, ExitCode: &code,
				ProcessConfig: &container.ExecProcessConfig{Tty: tty},
			}, nil
		},
		ContainerExecStartFunc: func(_ context.Context, _ string, _ *[2]uint, ready func() (daemon.Streams, error)) error {
			if ready == nil {
				return fail
			}
			st, err := ready()
			if err != nil || fail != nil {
				return errors.Join(err, fail)
			}
			in, err := io.ReadAll(st.Stdin)
			if err == nil {
				_, err = st.Stdout.Write(bytes.ToUpper(in))
			}
			return err
		},
	}
}

func TestExec(t *testing.T) {
	c := dial(t, executing(false, nil))
	e, err := c.ExecCreate(t.Context(), "x", client.ExecCreateOptions{Cmd: []string{"a", "b"}})
	if err != nil || e.ID != "x:a+b" {
		t.Fatalf("create: %+v, %v", e, err)
	}
	res, err := c.ExecAttach(t.Context(), e.ID, client.ExecAttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Close()
	if _, err := io.WriteString(res.Conn, "hi"); err != nil {
		t.Fatal(err)
	}
	if err := res.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if _, err := stdcopy.StdCopy(&stdout, &stderr, res.Reader); err != nil || stdout.String() != "HI" || stderr.Len() != 0 {
		t.Errorf("%v: %q %q", err, stdout.String(), stderr.String())
	}
	if got, err := c.ExecInspect(t.Context(), e.ID, client.ExecInspectOptions{}); err != nil || got.ExitCode != 3 {
		t.Errorf("inspect: %+v, %v", got, err)
	}
	if _, err := c.ExecStart(t.Context(), e.ID, client.ExecStartOptions{Detach: true}); err != nil {
		t.Errorf("detached: %v", err)
	}
}

// Why an exec does not start is told where its output would be, in Docker's words.
func TestExecThatDoesNotStart(t *testing.T) {
	c := dial(t, executing(false, errors.New("exec: no such file or directory")))
	res, err := c.ExecAttach(t.Context(), "x", client.ExecAttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Close()
	var stdout, stderr bytes.Buffer
	if _, err := stdcopy.StdCopy(&stdout, &stderr, res.Reader); err != nil || !strings.Contains(stderr.String(), "OCI runtime exec failed: exec: no such file or directory") {
		t.Errorf("%v: %q %q", err, stdout.String(), stderr.String())
	}
	if _, err := c.ExecStart(t.Context(), "x", client.ExecStartOptions{Detach: true}); err == nil {
		t.Error("a detached one that fails gives no error")
	}
}
