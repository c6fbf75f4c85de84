package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/image"

	"wherry/internal/daemon"
)

func (s *Server) imageRoutes() []route {
	return []route{
		{"GET", "/images/json", s.imageList},
		{"GET", "/images/get", s.imageSave},
		{"GET", "/images/search", unbuilt("searching a registry is not built; look on the registry's own site")},
		{"POST", "/images/create", s.imagePull},
		{"POST", "/images/load", s.imageLoad},
		{"POST", "/images/prune", s.imagesPrune},
		{"GET", "/images/{name...}/json", s.imageInspect},
		{"GET", "/images/{name...}/history", s.imageHistory},
		{"GET", "/images/{name...}/get", s.imageSaveOne},
		{"POST", "/images/{name...}/push", s.imagePush},
		{"POST", "/images/{name...}/tag", s.imageTag},
		{"DELETE", "/images/{name...}", s.imageRemove},
	}
}

func (s *Server) imageList(w http.ResponseWriter, r *http.Request, _ vars) error {
	f, err := filters(r)
	if err != nil {
		return err
	}
	all, err := s.backend.ImageList(r.Context(), daemon.ImageListOptions{
		All: flag(r, "all"), Manifests: flag(r, "manifests"), SharedSize: flag(r, "shared-size"), Filters: f,
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list(all))
}

// withTag joins a name and the tag or digest that came beside it.
func withTag(name, tag string) string {
	switch {
	case tag == "":
		return name
	case strings.Contains(tag, ":"):
		return name + "@" + tag
	}
	return name + ":" + tag
}

func (s *Server) imagePull(w http.ResponseWriter, r *http.Request, _ vars) error {
	if r.FormValue("fromSrc") != "" {
		return notBuilt("importing a file system as an image")
	}
	name := r.FormValue("fromImage")
	if name == "" {
		return invalid("pull needs an image: the request has no parameter fromImage")
	}
	p, err := platform(r)
	if err != nil {
		return err
	}
	auth, err := registryAuth(r)
	if err != nil {
		return err
	}
	out := newStream(w, "application/json")
	return out.finish(s.backend.ImagePull(r.Context(), withTag(name, r.FormValue("tag")), p, auth, out))
}

func (s *Server) imagePush(w http.ResponseWriter, r *http.Request, v vars) error {
	p, err := platform(r)
	if err != nil {
		return err
	}
	auth, err := registryAuth(r)
	if err != nil {
		return err
	}
	out := newStream(w, "application/json")
	return out.finish(s.backend.ImagePush(r.Context(), withTag(v["name"], r.FormValue("tag")), p, auth, out))
}

func (s *Server) imageLoad(w http.ResponseWriter, r *http.Request, _ vars) error {
	if p, err := platform(r); err != nil {
		return err
	} else if p != "" {
		return notBuilt("loading one platform of an archive")
	}
	out := newStream(w, "application/json")
	return out.finish(s.backend.ImageLoad(r.Context(), r.Body, flag(r, "quiet"), out))
}

func (s *Server) imageSave(w http.ResponseWriter, r *http.Request, _ vars) error {
	var names []string
	for _, n := range r.URL.Query()["names"] { // some clients join them with commas
		names = append(names, strings.FieldsFunc(n, func(c rune) bool { return c == ',' })...)
	}
	if len(names) == 0 {
		return invalid("save needs an image: the request has no parameter names")
	}
	return s.save(w, r, names)
}

func (s *Server) imageSaveOne(w http.ResponseWriter, r *http.Request, v vars) error {
	return s.save(w, r, []string{v["name"]})
}

func (s *Server) save(w http.ResponseWriter, r *http.Request, names []string) error {
	p, err := platform(r)
	if err != nil {
		return err
	}
	out := newStream(w, "application/x-tar")
	return cut(out, s.backend.ImageSave(r.Context(), names, p, out))
}

func (s *Server) imagesPrune(w http.ResponseWriter, r *http.Request, _ vars) error {
	f, err := filters(r)
	if err != nil {
		return err
	}
	res, err := s.backend.ImagesPrune(r.Context(), f)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, res)
}

func (s *Server) imageInspect(w http.ResponseWriter, r *http.Request, v vars) error {
	p, err := platform(r)
	if err != nil {
		return err
	}
	manifests := flag(r, "manifests")
	if manifests && p != "" {
		return invalid("inspect takes a platform or manifests, not both")
	}
	res, err := s.backend.ImageInspect(r.Context(), v["name"], p, manifests)
	if err != nil {
		return err
	}
	box, err := s.backend.ImageSandbox(r.Context(), v["name"], p)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		image.InspectResponse
		Wherry daemon.Sandbox
	}{res, box})
}

func (s *Server) imageHistory(w http.ResponseWriter, r *http.Request, v vars) error {
	p, err := platform(r)
	if err != nil {
		return err
	}
	res, err := s.backend.ImageHistory(r.Context(), v["name"], p)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list(res))
}

func (s *Server) imageTag(w http.ResponseWriter, r *http.Request, v vars) error {
	repo := r.FormValue("repo")
	if repo == "" {
		return invalid("tag needs a new name: the request has no parameter repo")
	}
	if err := s.backend.ImageTag(r.Context(), v["name"], withTag(repo, r.FormValue("tag"))); err != nil {
		return err
	}
	w.WriteHeader(http.StatusCreated)
	return nil
}

func (s *Server) imageRemove(w http.ResponseWriter, r *http.Request, v vars) error {
	if r.URL.Query().Has("platforms") {
		return fmt.Errorf("removing single platforms of an image is not built; remove the image: %w", errdefs.ErrNotImplemented)
	}
	res, err := s.backend.ImageRemove(r.Context(), v["name"], flag(r, "force"), flag(r, "noprune"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list(res))
}
