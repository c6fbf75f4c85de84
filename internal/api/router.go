package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/containerd/errdefs"
)

// vars are the parts of the path that a pattern named.
type vars map[string]string

// handler answers one call. An error it returns is mapped to a status and a
// message once, in Server.fail.
type handler func(w http.ResponseWriter, r *http.Request, v vars) error

// route is a method, a pattern and what answers. A pattern's segment {id}
// takes one segment of the path; {name...} takes one or more, because image
// names contain slashes and clients send them as they are.
type route struct {
	method, pattern string
	handle          handler
}

// router finds routes. The first one added that fits wins, so the special ones
// (/images/json) go before the general ones (/images/{name...}).
type router struct {
	routes []compiled
}

type compiled struct {
	route
	segments []string
}

func (t *router) add(routes ...route) {
	for _, r := range routes {
		t.routes = append(t.routes, compiled{r, strings.Split(r.pattern[1:], "/")})
	}
}

// find answers errdefs.ErrNotFound for a path that no route has.
func (t *router) find(method, path string) (handler, vars, error) {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	elsewhere := false
	for _, r := range t.routes {
		v := vars{}
		if !match(r.segments, segments, v) {
			continue
		}
		if r.method == method || r.method == "*" {
			return r.handle, v, nil
		}
		elsewhere = true
	}
	if elsewhere {
		return nil, nil, fmt.Errorf("%s does not take %s: %w", path, method, errMethod)
	}
	return nil, nil, fmt.Errorf("page not found: %s %s: %w", method, path, errdefs.ErrNotFound)
}

// match fits a path to a pattern. A pattern has at most one {name...}, so what
// it takes is what the other segments leave.
func match(pattern, path []string, v vars) bool {
	for i, p := range pattern {
		if strings.HasSuffix(p, "...}") {
			n := len(path) - (len(pattern) - 1)
			if n < 1 {
				return false
			}
			name := strings.Join(path[i:i+n], "/")
			if name == "" || !match(pattern[i+1:], path[i+n:], v) {
				return false
			}
			v[strings.Trim(p, "{.}")] = name
			return true
		}
		if i >= len(path) {
			return false
		}
		switch {
		case strings.HasPrefix(p, "{"):
			if path[i] == "" {
				return false
			}
			v[strings.Trim(p, "{}")] = path[i]
		case p != path[i]:
			return false
		}
	}
	return len(path) == len(pattern)
}
