package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/api/types/system"

	"wherry/internal/api"
	"wherry/internal/api/apitest"
	"wherry/internal/daemon"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// do sends one request to a server over b.
func do(t *testing.T, b *apitest.Backend, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	api.NewServer(b, quiet()).ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
	return w
}

func message(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var m struct{ Message string }
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
		t.Fatalf("the error is not JSON: %q", w.Body)
	}
	return m.Message
}

func TestPing(t *testing.T) {
	for _, method := range []string{"GET", "HEAD"} {
		for _, path := range []string{"/_ping", "/v1.44/_ping"} {
			w := do(t, &apitest.Backend{}, method, path, "")
			if w.Code != 200 {
				t.Fatalf("%s %s: %d", method, path, w.Code)
			}
			for k, want := range map[string]string{
				"Api-Version": "1.51", "Ostype": "linux", "Docker-Experimental": "false", "Builder-Version": "1",
			} {
				if got := w.Header().Get(k); got != want {
					t.Errorf("%s %s: %s is %q, want %q", method, path, k, got, want)
				}
			}
			if got := w.Body.String(); (got == "OK") != (method == "GET") {
				t.Errorf("%s %s: body %q", method, path, got)
			}
		}
	}
}

func TestErrorStatus(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		text   string
	}{
		{fmt.Errorf("No such container: x: %w", errdefs.ErrNotFound), 404, "No such container: x"},
		{fmt.Errorf("no: %w", errdefs.ErrInvalidArgument), 400, "no"},
		{fmt.Errorf("no: %w", errdefs.ErrAlreadyExists), 409, "no"},
		{fmt.Errorf("no: %w", errdefs.ErrConflict), 409, "no"},
		{fmt.Errorf("no: %w", errdefs.ErrFailedPrecondition), 409, "no"},
		{fmt.Errorf("no: %w", errdefs.ErrPermissionDenied), 403, "no: permission denied"},
		{fmt.Errorf("no: %w", errdefs.ErrUnauthenticated), 401, "no"},
		{fmt.Errorf("no: %w", errdefs.ErrNotImplemented), 501, "no"},
		{fmt.Errorf("no: %w", errdefs.ErrUnavailable), 503, "no"},
		{fmt.Errorf("no: %w", errdefs.ErrResourceExhausted), 507, "no"},
		{errors.New("boom"), 500, "boom"},
		{errdefs.ErrNotFound, 404, "not found"},
	} {
		b := &apitest.Backend{ContainerStartFunc: func(context.Context, string) error { return tt.err }}
		w := do(t, b, "POST", "/containers/x/start", "")
		if w.Code != tt.status || message(t, w) != tt.text {
			t.Errorf("%v: %d %q, want %d %q", tt.err, w.Code, w.Body, tt.status, tt.text)
		}
	}
	b := &apitest.Backend{ContainerStartFunc: func(context.Context, string) error { return errdefs.ErrNotModified }}
	if w := do(t, b, "POST", "/containers/x/start", ""); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("not modified: %d %q", w.Code, w.Body)
	}
	if w := do(t, b, "GET", "/nowhere", ""); w.Code != 404 {
		t.Errorf("unknown path: %d", w.Code)
	}
	if w := do(t, b, "PUT", "/info", ""); w.Code != 405 {
		t.Errorf("unknown method: %d", w.Code)
	}
}

// What nothing stands behind says so in one sentence, whoever asks.
func TestUnbuilt(t *testing.T) {
	for _, call := range []string{
		"POST /commit?container=x",
		"POST /networks/create", "POST /networks/bridge/connect", "POST /networks/bridge/disconnect",
		"GET /swarm", "POST /swarm/init", "GET /services", "GET /nodes/x", "POST /plugins/pull",
		"POST /session", "POST /grpc", "POST /build?version=2", "POST /build?remote=https://x/y.git", "POST /build?squash=1",
		"POST /images/create?fromSrc=-", "GET /images/search?term=x", "GET /distribution/a/b/json",
		"DELETE /images/x?platforms=%7B%7D", "POST /images/load?platform=%7B%22os%22%3A%22wasi%22%7D",
	} {
		method, target, _ := strings.Cut(call, " ")
		w := do(t, &apitest.Backend{}, method, target, "")
		if w.Code != 501 {
			t.Errorf("%s: %d %s, want 501", call, w.Code, w.Body)
			continue
		}
		if text := message(t, w); strings.Contains(text, "\n") || strings.Contains(text, "test set no") || len(text) < 15 {
			t.Errorf("%s: %q", call, text)
		}
	}
}

func TestBadRequests(t *testing.T) {
	for _, tt := range []struct{ call, body, text string }{
		{"POST /containers/create", "", "needs a JSON body"},
		{"POST /containers/create", "{", "JSON"},
		{"POST /containers/create", "{}", "names none"},
		{"POST /containers/create", `{"Image":"x"} {}`, "goes on"},
		{"POST /containers/x/wait?condition=never", "", "invalid condition"},
		{"POST /containers/x/rename", "", "no parameter name"},
		{"POST /containers/x/resize?h=-1&w=3", "", "rows and columns"},
		{"POST /containers/x/stop?t=soon", "", "whole number"},
		{"GET /containers/x/logs", "", "at least one stream"},
		{"GET /containers/x/logs?stdout=1&tail=few", "", "number of lines"},
		{"GET /containers/json?filters=x", "", "filters"},
		{"GET /containers/x/archive", "", "no parameter path"},
		{"POST /images/create", "", "fromImage"},
		{"POST /images/x/tag", "", "repo"},
		{"GET /images/get", "", "names"},
		{"GET /events?since=5&until=3", "", "before"},
		{"GET /events?filters=%7B%22colour%22:%5B%22red%22%5D%7D", "", "invalid filter"},
		{"GET /system/df?type=cat", "", "unknown object"},
		{"GET /networks?filters=%7B%22colour%22:%5B%22red%22%5D%7D", "", "invalid filter"},
	} {
		method, target, _ := strings.Cut(tt.call, " ")
		w := do(t, &apitest.Backend{}, method, target, tt.body)
		if w.Code != 400 || !strings.Contains(message(t, w), tt.text) {
			t.Errorf("%s: %d %s, want 400 and %q", tt.call, w.Code, w.Body, tt.text)
		}
	}
}

func TestBodyIsBounded(t *testing.T) {
	w := do(t, &apitest.Backend{}, "POST", "/containers/create", `{"Image":"`+strings.Repeat("x", 9<<20)+`"}`)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of 9 MiB: %d %.100s", w.Code, w.Body)
	}
}

func TestCreate(t *testing.T) {
	var got daemon.CreateOptions
	b := &apitest.Backend{ContainerCreateFunc: func(_ context.Context, o daemon.CreateOptions) (container.CreateResponse, error) {
		got = o
		return container.CreateResponse{ID: "abc"}, nil
	}}
	w := do(t, b, "POST", "/v1.51/containers/create?name=web&platform=wasi%2Fwasm32",
		`{"Image":"hello","Env":["A=1"],"HostConfig":{"AutoRemove":true,"Annotations":{"a":"b"}}}`)
	if w.Code != 201 || strings.TrimSpace(w.Body.String()) != `{"Id":"abc","Warnings":[]}` {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got.Name != "web" || got.Platform != "wasi/wasm32" || got.Request.Image != "hello" || !got.Request.HostConfig.AutoRemove ||
		got.Request.HostConfig.Annotations["a"] != "b" {
		t.Errorf("the backend got %+v", got)
	}
}

func TestPythonsWay(t *testing.T) {
	var got daemon.ListOptions
	b := &apitest.Backend{
		ContainerListFunc: func(_ context.Context, o daemon.ListOptions) ([]container.Summary, error) { got = o; return nil, nil },
		SystemVersionFunc: func(context.Context) (system.VersionResponse, error) {
			return system.VersionResponse{Version: "1", Components: []system.ComponentVersion{{Name: "Engine"}}}, nil
		},
	}
	w := do(t, b, "GET", "/containers/json?limit=-1&all=False&size=0&trunc_cmd=0", "")
	if w.Body.String() != "[]\n" || got.All || got.Size || got.Limit != 0 {
		t.Errorf("list: %d %s with %+v", w.Code, w.Body, got)
	}
	w = do(t, b, "GET", "/version", "")
	var v system.VersionResponse
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || v.APIVersion != "1.51" || v.MinAPIVersion != "1.44" ||
		v.Components[0].Details["ApiVersion"] != "1.51" {
		t.Errorf("version: %s", w.Body)
	}
}

func TestPull(t *testing.T) {
	var ref string
	fail := errors.New("")
	b := &apitest.Backend{ImagePullFunc: func(_ context.Context, r, _ string, _ *registry.AuthConfig, w io.Writer) error {
		ref = r
		if fail == nil {
			return fmt.Errorf("no: %w", errdefs.ErrNotFound)
		}
		io.WriteString(w, `{"status":"Pulling"}`+"\r\n")
		if fail.Error() == "" {
			return nil
		}
		return fail
	}}
	for _, tt := range []struct{ query, ref string }{
		{"fromImage=a/b&tag=1", "a/b:1"},
		{"fromImage=a%2Fb&tag=sha256:00", "a/b@sha256:00"},
		{"fromImage=a", "a"},
	} {
		if w := do(t, b, "POST", "/images/create?"+tt.query, ""); ref != tt.ref || w.Code != 200 {
			t.Errorf("%s pulled %q, want %q (%d)", tt.query, ref, tt.ref, w.Code)
		}
	}
	fail = errors.New("cut off")
	w := do(t, b, "POST", "/images/create?fromImage=a", "")
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\r\n")
	if w.Code != 200 || len(lines) != 2 || lines[1] != `{"errorDetail":{"message":"cut off"},"error":"cut off"}` {
		t.Errorf("an error after the first line: %d %q", w.Code, lines)
	}
	fail = nil
	if w := do(t, b, "POST", "/images/create?fromImage=a", ""); w.Code != 404 {
		t.Errorf("an error before the first line: %d", w.Code)
	}
}

func TestNetworks(t *testing.T) {
	w := do(t, &apitest.Backend{}, "GET", "/networks", "")
	var all []struct{ Name, ID string }
	if err := json.Unmarshal(w.Body.Bytes(), &all); err != nil || len(all) != 3 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, n := range all {
		for _, id := range []string{n.Name, n.ID, n.ID[:12]} {
			if w := do(t, &apitest.Backend{}, "GET", "/networks/"+id, ""); w.Code != 200 {
				t.Errorf("inspect %s: %d", id, w.Code)
			}
		}
		if w := do(t, &apitest.Backend{}, "DELETE", "/networks/"+n.Name, ""); w.Code != 403 {
			t.Errorf("remove %s: %d", n.Name, w.Code)
		}
	}
	for filter, want := range map[string]int{
		`{"name":["host"]}`: 1, `{"type":["custom"]}`: 0, `{"driver":{"private":true}}`: 1, `{"label":["x"]}`: 0, `{"type":["builtin"]}`: 3,
	} {
		w := do(t, &apitest.Backend{}, "GET", "/networks?filters="+strings.ReplaceAll(filter, `"`, "%22"), "")
		if err := json.Unmarshal(w.Body.Bytes(), &all); err != nil || len(all) != want {
			t.Errorf("%s gives %d, want %d: %s", filter, len(all), want, w.Body)
		}
	}
	if w := do(t, &apitest.Backend{}, "GET", "/networks/other", ""); w.Code != 404 {
		t.Errorf("unknown network: %d", w.Code)
	}
}

// docker inspect asks every noun for a name and stops at the first other error
// than not found.
func TestPluginsAreNone(t *testing.T) {
	if w := do(t, &apitest.Backend{}, "GET", "/plugins", ""); w.Code != 200 || w.Body.String() != "[]\n" {
		t.Errorf("list: %d %s", w.Code, w.Body)
	}
	if w := do(t, &apitest.Backend{}, "GET", "/plugins/a/b/json", ""); w.Code != 404 {
		t.Errorf("inspect: %d %s", w.Code, w.Body)
	}
}

func TestDiskUsageInTheOldForm(t *testing.T) {
	b := &apitest.Backend{SystemDiskUsageFunc: func(context.Context, []system.DiskUsageObject, bool) (system.DiskUsage, error) {
		return system.DiskUsage{ImageUsage: &image.DiskUsage{TotalSize: 7, Items: []image.Summary{{ID: "i"}}}}, nil
	}}
	w := do(t, b, "GET", "/system/df", "")
	var du struct {
		LayersSize                              int64
		Images, Containers, Volumes, BuildCache []struct{ ID string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &du); err != nil {
		t.Fatal(err)
	}
	if du.LayersSize != 7 || len(du.Images) != 1 || du.Containers == nil || du.Volumes == nil || du.BuildCache == nil {
		t.Errorf("%s", w.Body)
	}
}

// What Docker does not know stands beside what it does, for its own client.
func TestInspectShowsTheSandbox(t *testing.T) {
	b := &apitest.Backend{
		ContainerInspectFunc: func(context.Context, string, bool) (container.InspectResponse, error) {
			return container.InspectResponse{ID: "abc"}, nil
		},
		ContainerSandboxFunc: func(context.Context, string) (daemon.Sandbox, error) {
			return daemon.Sandbox{May: []string{"listen"}, Granted: &daemon.Granted{Root: "read-only"}}, nil
		},
		ImageInspectFunc: func(context.Context, string, string, bool) (image.InspectResponse, error) {
			return image.InspectResponse{ID: "sha256:def"}, nil
		},
		ImageSandboxFunc: func(_ context.Context, ref, platform string) (daemon.Sandbox, error) {
			return daemon.Sandbox{Unknown: ref + platform + " has no program"}, nil
		},
	}
	for target, want := range map[string][]string{
		"/containers/abc/json": {`"Id":"abc"`, `"Wherry":{"May":["listen"],"Granted":{`, `"Root":"read-only"`},
		"/images/x/json":       {`"Id":"sha256:def"`, `"Wherry":{"May":null,"Unknown":"x has no program"}`},
	} {
		w := do(t, b, "GET", target, "")
		for _, part := range want {
			if w.Code != 200 || !strings.Contains(w.Body.String(), part) {
				t.Errorf("%s answers %d %s, want %s", target, w.Code, w.Body, part)
			}
		}
	}
	b.ContainerSandboxFunc = func(context.Context, string) (daemon.Sandbox, error) { return daemon.Sandbox{}, errdefs.ErrNotFound }
	if w := do(t, b, "GET", "/containers/abc/json", ""); w.Code != 404 {
		t.Errorf("a container that went meanwhile answers %d", w.Code)
	}
}
