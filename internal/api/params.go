package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/moby/moby/api/types/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/daemon"
)

// maxJSON bounds a request's JSON. A create request with the largest
// environment that Linux takes (2 MiB) fits several times.
const maxJSON = 8 << 20

// invalid is a mistake in the request itself.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), errdefs.ErrInvalidArgument)
}

// readJSON decodes a request's body into v. An empty body leaves v as it is
// where optional is set.
func readJSON(w http.ResponseWriter, r *http.Request, v any, optional bool) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxJSON))
	if err := dec.Decode(v); err != nil {
		if errors.Is(err, io.EOF) && optional {
			return nil
		}
		if errors.As(err, new(*http.MaxBytesError)) {
			return err
		}
		if errors.Is(err, io.EOF) {
			return invalid("the request needs a JSON body, it is empty")
		}
		return invalid("the request's JSON: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return invalid("the request's JSON goes on after its first value")
	}
	return nil
}

// flag reads a boolean as clients send them: docker "1" and "0", docker-py
// "True" and "False".
func flag(r *http.Request, name string) bool {
	switch strings.ToLower(strings.TrimSpace(r.FormValue(name))) {
	case "", "0", "no", "false", "none":
		return false
	}
	return true
}

// flagOr is flag with a default for a parameter that was not sent.
func flagOr(r *http.Request, name string, missing bool) bool {
	if !r.URL.Query().Has(name) {
		return missing
	}
	return flag(r, name)
}

// number reads an optional integer.
func number(r *http.Request, name string) (n int, given bool, err error) {
	s := r.FormValue(name)
	if s == "" || s == "None" {
		return 0, false, nil
	}
	n, err = strconv.Atoi(s)
	if err != nil {
		return 0, false, invalid("%s must be a whole number, it is %q", name, s)
	}
	return n, true, nil
}

// instant reads a time as clients send it: seconds since 1970 with an optional
// fraction, or RFC 3339. Missing and 0 are the zero time.
func instant(r *http.Request, name string) (time.Time, error) {
	s := r.FormValue(name)
	if s == "" || s == "0" || s == "None" {
		return time.Time{}, nil
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if sec, err := strconv.ParseInt(whole, 10, 64); err == nil {
		if fraction == "" {
			return time.Unix(sec, 0), nil
		}
		// A fraction counts digits from the point: .5 is 500 ms.
		nano, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
		if err == nil && len(fraction) <= 9 {
			return time.Unix(sec, int64(nano)), nil
		}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, invalid("%s must be seconds since 1970 or a date such as 2026-01-02T15:04:05Z, it is %q", name, s)
}

// filters reads filters in both forms that clients send: {"k":{"v":true}} and
// {"k":["v"]}.
func filters(r *http.Request) (daemon.Filters, error) {
	s := r.FormValue("filters")
	if s == "" {
		return nil, nil
	}
	if len(s) > maxJSON {
		return nil, invalid("filters are longer than %d bytes", maxJSON)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(s), &raw); err != nil {
		return nil, invalid(`filters must be JSON like {"name":["web"]}: %v`, err)
	}
	out := make(daemon.Filters, len(raw))
	for key, v := range raw {
		var list []string
		var set map[string]bool
		if err := json.Unmarshal(v, &list); err != nil {
			if err := json.Unmarshal(v, &set); err != nil {
				return nil, invalid("filter %s must be a list of strings or a set of them, it is %s", key, v)
			}
			for value, on := range set {
				if on {
					list = append(list, value)
				}
			}
			slices.Sort(list)
		}
		out[key] = list
	}
	return out, nil
}

// platform reads a platform as clients send it: "wasi/wasm32", or since API
// 1.48 on some calls as JSON. Those that take several get the one.
func platform(r *http.Request) (string, error) {
	all := r.URL.Query()["platform"]
	if len(all) > 1 {
		return "", fmt.Errorf("choosing %d platforms at once is not built; name one: %w", len(all), errdefs.ErrNotImplemented)
	}
	s := r.URL.Query().Get("platform")
	if !strings.HasPrefix(s, "{") {
		return s, nil
	}
	var p ocispec.Platform
	if err := json.Unmarshal([]byte(s), &p); err != nil {
		return "", invalid("platform: %v", err)
	}
	if p.OS == "" {
		return "", invalid(`platform must name an "os", it is %s`, s)
	}
	return platforms.Format(p), nil
}

// decodeAuth reads the base64 JSON of the X-Registry-Auth and X-Registry-Config
// headers. The API asks for the URL alphabet; clients send either, padded or
// not.
func decodeAuth(header string, v any) error {
	s := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(header, "="))
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return invalid("the registry credentials' header is not base64: %v", err)
	}
	if len(b) == 0 {
		return nil
	}
	if err := json.Unmarshal(b, v); err != nil {
		return invalid("the registry credentials' header is not JSON") // it may hold a secret: say no more
	}
	return nil
}

// registryAuth gives the credentials a client sent along, nil without any.
func registryAuth(r *http.Request) (*registry.AuthConfig, error) {
	header := r.Header.Get("X-Registry-Auth")
	if header == "" {
		return nil, nil
	}
	var auth registry.AuthConfig
	if err := decodeAuth(header, &auth); err != nil {
		return nil, err
	}
	if auth == (registry.AuthConfig{}) {
		return nil, nil
	}
	return &auth, nil
}
