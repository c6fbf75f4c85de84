package api

import (
	"errors"
	"net/http"
	"testing"

	"github.com/containerd/errdefs"
)

func TestRouter(t *testing.T) {
	var got string
	var seen vars
	at := func(method, pattern string) route {
		return route{method, pattern, func(_ http.ResponseWriter, _ *http.Request, v vars) error {
			got, seen = method+" "+pattern, v
			return nil
		}}
	}
	var r router
	r.add(
		at("GET", "/images/json"),
		at("GET", "/images/{name...}/json"),
		at("POST", "/images/{name...}/push"),
		at("DELETE", "/images/{name...}"),
		at("GET", "/containers/{id}/json"),
		at("*", "/swarm/{rest...}"),
	)
	for _, tt := range []struct{ method, path, want, key, value string }{
		{"GET", "/images/json", "GET /images/json", "", ""},
		{"GET", "/images/a/json", "GET /images/{name...}/json", "name", "a"},
		{"GET", "/images/host:5000/a/b@sha256:00/json", "GET /images/{name...}/json", "name", "host:5000/a/b@sha256:00"},
		{"GET", "/images/json/json", "GET /images/{name...}/json", "name", "json"},
		{"POST", "/images/a/b/push", "POST /images/{name...}/push", "name", "a/b"},
		{"DELETE", "/images/a/b/c", "DELETE /images/{name...}", "name", "a/b/c"},
		{"GET", "/containers/web/json", "GET /containers/{id}/json", "id", "web"},
		{"PUT", "/swarm/unlock/key", "* /swarm/{rest...}", "rest", "unlock/key"},
	} {
		h, v, err := r.find(tt.method, tt.path)
		if err != nil {
			t.Errorf("%s %s: %v", tt.method, tt.path, err)
			continue
		}
		if err := h(nil, nil, v); err != nil {
			t.Fatal(err)
		}
		if got != tt.want || seen[tt.key] != tt.value {
			t.Errorf("%s %s went to %s with %v; want %s with %s=%s", tt.method, tt.path, got, seen, tt.want, tt.key, tt.value)
		}
	}
	for _, path := range []string{"/", "", "/images", "/containers//json", "/containers/a/b/json", "/nothing"} {
		if _, _, err := r.find("GET", path); !errdefs.IsNotFound(err) {
			t.Errorf("GET %q: %v, want not found", path, err)
		}
	}
	if _, _, err := r.find("PUT", "/images/json"); !errors.Is(err, errMethod) {
		t.Errorf("another method of a known path: %v", err)
	}
}
