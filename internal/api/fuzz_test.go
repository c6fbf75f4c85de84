package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"

	"wherry/internal/api"
	"wherry/internal/api/apitest"
	"wherry/internal/daemon"
)

// FuzzRequest sends whatever comes to mind: no request may make the server
// panic, or answer what is no HTTP status.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"GET /_ping", "GET /v1.51/containers/json?limit=-1&filters=%7B%22a%22%3A%5B%22b%22%5D%7D",
		"POST /containers/create?name=x {\"Image\":\"x\",\"HostConfig\":null}",
		"POST /containers/x/attach?stream=1&stdin=1", "GET /containers/x/logs?stdout=1&since=1.5&tail=3",
		"POST /containers/x/wait?condition=removed", "GET /images/a/b/c/json?platform={}", "DELETE /images/a/b",
		"POST /build?buildargs=%7B%7D&labels=x", "GET /events?since=0&until=1e9", "PUT /containers/x/archive?path=/ tar",
		"PUT /containers/x/archive?path=%2F..%00&noOverwriteDirNonDir=true", "POST /containers/x/update {\"Memory\":-1}", "POST /volumes/create {\"DriverOpts\":null}",
		"POST /containers/x/resize?h=99999999999&w=-1", "POST /containers/x/stop?t=1e9&signal=%0a", "POST /images/load?quiet=1 tar", "GET /containers/x/top?ps_args=%00",
		"POST /networks/prune", "GET /system/df?type=image", "POST /auth {}", "GET //images//json", "GET /v1./v1.51/v1.51",
	} {
		request, body, _ := strings.Cut(s, " {")
		method, target, _ := strings.Cut(request, " ")
		f.Add(method, target, body, "e30=")
	}
	b := &apitest.Backend{
		ContainerInspectFunc: func(context.Context, string, bool) (container.InspectResponse, error) {
			return container.InspectResponse{}, nil
		},
		ContainerWaitFunc: func(context.Context, string, container.WaitCondition) (<-chan container.WaitResponse, error) {
			c := make(chan container.WaitResponse)
			close(c)
			return c, nil
		},
		ContainerAttachFunc: func(_ context.Context, _ string, _ daemon.AttachOptions, ready func() (daemon.Streams, error)) error {
			_, err := ready()
			return err
		},
		ContainerLogsFunc: func(_ context.Context, _ string, _ daemon.LogsOptions, send func(daemon.LogLine) error) error {
			return send(daemon.LogLine{})
		},
		ContainerArchiveFunc: func(context.Context, string, string) (io.ReadCloser, container.PathStat, error) {
			return io.NopCloser(strings.NewReader("x")), container.PathStat{}, nil
		},
		ImageSaveFunc: func(context.Context, []string, string, io.Writer) error { return errors.New("x") },
	}
	server := api.NewServer(b, quiet())
	f.Fuzz(func(t *testing.T, method, target, body, auth string) {
		r, err := http.NewRequest(method, target, strings.NewReader(body))
		if err != nil {
			return // the HTTP server refuses these before us
		}
		r.Header.Set("X-Registry-Auth", auth)
		r.Header.Set("X-Registry-Config", auth)
		r.Header.Set("Upgrade", "tcp")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if w.Code < 200 || w.Code > 599 {
			t.Errorf("%s %s answers %d", method, target, w.Code)
		}
		if w.Code < 400 {
			return
		}
		// A refusal is Docker's one object, and no accident inside.
		var refusal struct{ Message string }
		if err := json.Unmarshal(w.Body.Bytes(), &refusal); method != http.MethodHead && (err != nil || refusal.Message == "") {
			t.Errorf("%s %s answers %d with %q", method, target, w.Code, w.Body)
		}
		// The recorder is no connection that could be taken over, and the fake
		// store has no image to save.
		if w.Code == http.StatusInternalServerError && refusal.Message != "x" && !strings.HasPrefix(refusal.Message, "take over the connection: ") {
			t.Errorf("%s %s answers %q", method, target, refusal.Message)
		}
	})
}
