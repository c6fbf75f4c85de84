package api

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/registry"

	"wherry/internal/daemon"
)

func query(values ...string) *http.Request {
	q := url.Values{}
	for i := 0; i < len(values); i += 2 {
		q.Add(values[i], values[i+1])
	}
	return httptest.NewRequest("GET", "/x?"+q.Encode(), nil)
}

func TestFlag(t *testing.T) {
	for value, want := range map[string]bool{
		"": false, "0": false, "false": false, "False": false, "none": false, "None": false, "no": false,
		"1": true, "true": true, "True": true, "yes": true, "t": true,
	} {
		if got := flag(query("b", value), "b"); got != want {
			t.Errorf("flag(%q) = %v, want %v", value, got, want)
		}
	}
	if !flagOr(query(), "b", true) || flagOr(query("b", "0"), "b", true) {
		t.Error("flagOr must take its default only for a parameter that was not sent")
	}
}

func TestFilters(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     daemon.Filters
		bad      bool
	}{
		{name: "none", in: "", want: nil},
		{name: "sets, as docker sends them", in: `{"name":{"web":true,"api":true}}`, want: daemon.Filters{"name": {"api", "web"}}},
		{name: "a set's false member", in: `{"name":{"web":true,"api":false}}`, want: daemon.Filters{"name": {"web"}}},
		{name: "lists, as docker-py sends them", in: `{"label":["a=b","c"]}`, want: daemon.Filters{"label": {"a=b", "c"}}},
		{name: "both at once", in: `{"label":["a"],"name":{"b":true}}`, want: daemon.Filters{"label": {"a"}, "name": {"b"}}},
		{name: "no JSON", in: `name=web`, bad: true},
		{name: "a number", in: `{"name":7}`, bad: true},
		{name: "a list", in: `["name"]`, bad: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := filters(query("filters", tt.in))
			if tt.bad != errdefs.IsInvalidArgument(err) {
				t.Fatalf("error %v, want invalid argument: %v", err, tt.bad)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestInstant(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want time.Time
		bad  bool
	}{
		{in: "", want: time.Time{}},
		{in: "0", want: time.Time{}},
		{in: "1700000000", want: time.Unix(1700000000, 0)},
		{in: "1700000000.5", want: time.Unix(1700000000, 500000000)},
		{in: "1700000000.000000001", want: time.Unix(1700000000, 1)},
		{in: "2026-01-02T03:04:05Z", want: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		{in: "2026-01-02T03:04:05.25+01:00", want: time.Date(2026, 1, 2, 2, 4, 5, 250000000, time.UTC)},
		{in: "yesterday", bad: true},
		{in: "1.x", bad: true},
		{in: "1.0000000001", bad: true},
	} {
		got, err := instant(query("since", tt.in), "since")
		if tt.bad != (err != nil) || !got.Equal(tt.want) {
			t.Errorf("instant(%q) = %v, %v; want %v, bad: %v", tt.in, got, err, tt.want, tt.bad)
		}
	}
}

func TestPlatform(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"wasi/wasm32", "wasi/wasm32"},
		{`{"os":"wasi","architecture":"wasm"}`, "wasi/wasm"},
		{`{"os":"linux","architecture":"arm64","variant":"v8"}`, "linux/arm64/v8"},
	} {
		if got, err := platform(query("platform", tt.in)); err != nil || got != tt.want {
			t.Errorf("platform(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
		}
	}
	if _, err := platform(query("platform", `{"os":7}`)); !errdefs.IsInvalidArgument(err) {
		t.Errorf("malformed: %v", err)
	}
	if _, err := platform(query("platform", "a/b", "platform", "c/d")); !errdefs.IsNotImplemented(err) {
		t.Errorf("two platforms: %v", err)
	}
}

func TestRegistryAuth(t *testing.T) {
	json := []byte(`{"username":"u","password":"p>>?"}`)
	want := registry.AuthConfig{Username: "u", Password: "p>>?"}
	for name, enc := range map[string]*base64.Encoding{
		"url": base64.URLEncoding, "url bare": base64.RawURLEncoding, "std": base64.StdEncoding, "std bare": base64.RawStdEncoding,
	} {
		r := query()
		r.Header.Set("X-Registry-Auth", enc.EncodeToString(json))
		if got, err := registryAuth(r); err != nil || got == nil || *got != want {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	for name, header := range map[string]string{"missing": "", "empty object": "e30=", "only padding": "="} {
		r := query()
		r.Header.Set("X-Registry-Auth", header)
		if got, err := registryAuth(r); got != nil || err != nil {
			t.Errorf("%s: got %v, %v; want none", name, got, err)
		}
	}
	r := query()
	r.Header.Set("X-Registry-Auth", "!!")
	if _, err := registryAuth(r); !errdefs.IsInvalidArgument(err) {
		t.Errorf("not base64: %v", err)
	}
}

func TestStripVersion(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		bad      bool
	}{
		{in: "/info", want: "/info"},
		{in: "/v1.51/info", want: "/info"},
		{in: "/v1.44/images/a/b/json", want: "/images/a/b/json"},
		{in: "/volumes", want: "/volumes"},
		{in: "/volumes/v1.2", want: "/volumes/v1.2"},
		{in: "/v1.43/info", bad: true},
		{in: "/v1.52/info", bad: true},
		{in: "/v2.0/info", bad: true},
		{in: "/v0.51/info", bad: true},
	} {
		got, err := stripVersion(tt.in)
		if tt.bad != errdefs.IsInvalidArgument(err) || got != tt.want {
			t.Errorf("stripVersion(%q) = %q, %v; want %q, bad: %v", tt.in, got, err, tt.want, tt.bad)
		}
	}
}
