package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"wherry/internal/api"
	"wherry/internal/api/apitest"
	"wherry/internal/daemon"
)

// dial serves b on a Unix socket and gives the typed client of it.
func dial(t *testing.T, b *apitest.Backend) *client.Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: api.NewServer(b, quiet())}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	c, err := client.New(client.WithHost("unix://" + socket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// inspected answers inspect with a container that has a terminal or not.
func inspected(tty bool) func(context.Context, string, bool) (container.InspectResponse, error) {
	return func(context.Context, string, bool) (container.InspectResponse, error) {
		return container.InspectResponse{Config: &container.Config{Tty: tty}}, nil
	}
}

func TestClientNegotiates(t *testing.T) {
	c := dial(t, &apitest.Backend{})
	p, err := c.Ping(t.Context(), client.PingOptions{NegotiateAPIVersion: true})
	if err != nil {
		t.Fatal(err)
	}
	if p.APIVersion != api.MaxVersion || c.ClientVersion() != api.MaxVersion || p.OSType != "linux" {
		t.Errorf("ping %+v, client speaks %s", p, c.ClientVersion())
	}
	if _, err := c.ContainerInspect(t.Context(), "x", client.ContainerInspectOptions{}); !errdefs.IsNotImplemented(err) {
		t.Errorf("the kind of an error must cross the wire, got %v", err)
	}
}

// What a client sends before the container starts is kept, its end too, and
// output still comes back after that.
func TestAttachKeepsEarlyInputAndHalfClose(t *testing.T) {
	for _, tty := range []bool{false, true} {
		started := make(chan struct{})
		b := &apitest.Backend{
			ContainerInspectFunc: inspected(tty),
			ContainerAttachFunc: func(_ context.Context, _ string, o daemon.AttachOptions, ready func() (daemon.Streams, error)) error {
				st, err := ready()
				if err != nil {
					return err
				}
				<-started
				in, err := io.ReadAll(st.Stdin)
				if err != nil {
					return err
				}
				if _, err := st.Stdout.Write(bytes.ToUpper(in)); err != nil {
					return err
				}
				_, err = io.WriteString(st.Stderr, "bye")
				return err
			},
		}
		c := dial(t, b)
		res, err := c.ContainerAttach(t.Context(), "x", client.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(res.Conn, "hi"); err != nil {
			t.Fatal(err)
		}
		if err := res.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		close(started)
		var stdout, stderr bytes.Buffer
		kind, _ := res.MediaType()
		if tty {
			_, err = io.Copy(&stdout, res.Reader)
			if kind != "application/vnd.docker.raw-stream" || stdout.String() != "HIbye" {
				t.Errorf("terminal: %s %q", kind, stdout.String())
			}
		} else {
			_, err = stdcopy.StdCopy(&stdout, &stderr, res.Reader)
			if kind != "application/vnd.docker.multiplexed-stream" || stdout.String() != "HI" || stderr.String() != "bye" {
				t.Errorf("frames: %s %q %q", kind, stdout.String(), stderr.String())
			}
		}
		if err != nil {
			t.Error(err)
		}
		res.Close()
	}
}

// A client that leaves a silent container is noticed; one that only ended its
// half is not taken for one.
func TestAttachNoticesThatTheClientLeft(t *testing.T) {
	for _, stdin := range []bool{false, true} {
		gone := make(chan struct{})
		alive := make(chan io.Writer, 1)
		c := dial(t, &apitest.Backend{
			ContainerInspectFunc: inspected(false),
			ContainerAttachFunc: func(ctx context.Context, _ string, _ daemon.AttachOptions, ready func() (daemon.Streams, error)) error {
				defer close(gone)
				st, err := ready()
				if err != nil {
					return err
				}
				if st.Stdin != nil {
					if _, err := io.Copy(io.Discard, st.Stdin); err != nil {
						return err
					}
				}
				alive <- st.Stdout
				<-ctx.Done()
				return nil
			},
		})
		res, err := c.ContainerAttach(t.Context(), "x", client.ContainerAttachOptions{Stream: true, Stdin: stdin, Stdout: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := res.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(<-alive, "still here"); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if _, err := io.CopyN(&out, res.Reader, 8+10); err != nil {
			t.Fatal(err)
		}
		select {
		case <-gone:
			t.Error("half an end was taken for the whole")
		default:
		}
		res.Close()
		<-gone
	}
}

func TestAttachErrorBeforeReady(t *testing.T) {
	c := dial(t, &apitest.Backend{
		ContainerInspectFunc: inspected(false),
		ContainerAttachFunc: func(context.Context, string, daemon.AttachOptions, func() (daemon.Streams, error)) error {
			return errdefs.ErrConflict
		},
	})
	if _, err := c.ContainerAttach(t.Context(), "x", client.ContainerAttachOptions{Stream: true}); err == nil {
		t.Error("attach must fail")
	}
}

func TestWaitAnswersBeforeItBlocks(t *testing.T) {
	end := make(chan container.WaitResponse, 1)
	c := dial(t, &apitest.Backend{
		ContainerWaitFunc: func(_ context.Context, _ string, cond container.WaitCondition) (<-chan container.WaitResponse, error) {
			if cond != container.WaitConditionNextExit {
				return nil, errdefs.ErrInvalidArgument
			}
			return end, nil
		},
	})
	// The client returns once it has the headers.
	w := c.ContainerWait(t.Context(), "x", client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	end <- container.WaitResponse{StatusCode: 143}
	select {
	case r := <-w.Result:
		if r.StatusCode != 143 {
			t.Errorf("status %d", r.StatusCode)
		}
	case err := <-w.Error:
		t.Error(err)
	}
}

func TestLogs(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 60, time.UTC)
	var got daemon.LogsOptions
	c := dial(t, &apitest.Backend{
		ContainerInspectFunc: inspected(false),
		ContainerLogsFunc: func(_ context.Context, _ string, o daemon.LogsOptions, send func(daemon.LogLine) error) error {
			got = o
			if err := send(daemon.LogLine{Stream: "stdout", Time: at, Line: []byte("out\n")}); err != nil {
				return err
			}
			return send(daemon.LogLine{Stream: "stderr", Time: at, Line: []byte("err\n")})
		},
	})
	res, err := c.ContainerLogs(t.Context(), "x", client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Follow: true, Timestamps: true, Tail: "5"})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Close()
	var stdout, stderr bytes.Buffer
	if _, err := stdcopy.StdCopy(&stdout, &stderr, res); err != nil {
		t.Fatal(err)
	}
	const stamp = "2026-01-02T03:04:05.000000060Z "
	if stdout.String() != stamp+"out\n" || stderr.String() != stamp+"err\n" {
		t.Errorf("%q %q", stdout.String(), stderr.String())
	}
	if !got.Follow || got.Tail != 5 || !got.Stdout || !got.Stderr {
		t.Errorf("the backend got %+v", got)
	}
}

func TestEventsStreamUntilTheClientLeaves(t *testing.T) {
	left := make(chan struct{})
	c := dial(t, &apitest.Backend{
		EventsFunc: func(ctx context.Context, _, _ time.Time, f daemon.Filters, send func(events.Message) error) error {
			defer close(left)
			if f["type"][0] != "container" {
				return errdefs.ErrInvalidArgument
			}
			if err := send(events.Message{Type: "container", Action: "start", Actor: events.Actor{ID: "x"}}); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	res := c.Events(ctx, client.EventsListOptions{Filters: client.Filters{}.Add("type", "container")})
	select {
	case m := <-res.Messages:
		if m.Action != "start" || m.Actor.ID != "x" {
			t.Errorf("got %+v", m)
		}
	case err := <-res.Err:
		t.Fatal(err)
	}
	cancel()
	<-left
}

func TestSaveThatFailsIsNotTakenForWhole(t *testing.T) {
	c := dial(t, &apitest.Backend{
		ImageSaveFunc: func(_ context.Context, _ []string, _ string, w io.Writer) error {
			if _, err := io.WriteString(w, "half"); err != nil {
				return err
			}
			return errors.New("blob missing")
		},
	})
	res, err := c.ImageSave(t.Context(), []string{"x"})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Close()
	if b, err := io.ReadAll(res); err == nil {
		t.Errorf("read %q without an error", b)
	}
}
