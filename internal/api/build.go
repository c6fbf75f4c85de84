package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/registry"

	"wherry/internal/daemon"
)

func (s *Server) buildRoutes() []route {
	return []route{
		{"POST", "/build", s.imageBuild},
		{"POST", "/build/prune", s.buildPrune},
		{"POST", "/build/cancel", unbuilt("cancelling a build by its ID is not built; close the request")},
	}
}

// jsonParam reads a parameter that holds JSON.
func jsonParam(r *http.Request, name string, v any) error {
	s := r.FormValue(name)
	if s == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(s), v); err != nil {
		return invalid("%s: %v", name, err)
	}
	return nil
}

// unbuiltOptions are options of a build that would change its result and that
// Wherry's builder doesn't have, with the values that ask for nothing.
var unbuiltOptions = map[string][]string{
	"squash":      {"", "0", "false", "False"},
	"extrahosts":  {"", "[]", "null"},
	"networkmode": {"", "default", "none", "private", "bridge"},
	"outputs":     {"", "[]", "null"},
}

func (s *Server) imageBuild(w http.ResponseWriter, r *http.Request, _ vars) error {
	query := r.URL.Query()
	if v := query.Get("version"); v != "" && v != "1" {
		return fmt.Errorf("BuildKit is not built; build with DOCKER_BUILDKIT=0 or wherry build: %w", errdefs.ErrNotImplemented)
	}
	if remote := query.Get("remote"); remote != "" {
		return fmt.Errorf("building from %s is not built; fetch it and build from the folder: %w", remote, errdefs.ErrNotImplemented)
	}
	for name, nothing := range unbuiltOptions {
		if !slices.Contains(nothing, query.Get(name)) {
			return notBuilt("the build option " + name + "=" + query.Get(name))
		}
	}
	o := daemon.BuildOptions{
		Dockerfile: query.Get("dockerfile"),
		Tags:       query["t"],
		Target:     query.Get("target"),
		NoCache:    flag(r, "nocache"),
		Pull:       flag(r, "pull"),
		Quiet:      flag(r, "q"),
	}
	var err error
	if o.Platform, err = platform(r); err != nil {
		return err
	}
	if err := jsonParam(r, "buildargs", &o.BuildArgs); err != nil {
		return err
	}
	if err := jsonParam(r, "labels", &o.Labels); err != nil {
		return err
	}
	if h := r.Header.Get("X-Registry-Config"); h != "" {
		o.Auth = map[string]registry.AuthConfig{}
		if err := decodeAuth(h, &o.Auth); err != nil {
			return err
		}
	}
	out := newStream(w, "application/json")
	return out.finish(s.backend.ImageBuild(r.Context(), o, r.Body, out))
}

func (s *Server) buildPrune(w http.ResponseWriter, r *http.Request, _ vars) error {
	res, err := s.backend.BuildPrune(r.Context(), flag(r, "all"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, res)
}
