package api

import (
	"net/http"

	"github.com/moby/moby/api/types/volume"
)

func (s *Server) volumeRoutes() []route {
	return []route{
		{"GET", "/volumes", s.volumeList},
		{"POST", "/volumes/create", s.volumeCreate},
		{"POST", "/volumes/prune", s.volumesPrune},
		{"GET", "/volumes/{name}", s.volumeInspect},
		{"DELETE", "/volumes/{name}", s.volumeRemove},
	}
}

func (s *Server) volumeList(w http.ResponseWriter, r *http.Request, _ vars) error {
	f, err := filters(r)
	if err != nil {
		return err
	}
	res, err := s.backend.VolumeList(r.Context(), f)
	if err != nil {
		return err
	}
	res.Volumes = list(res.Volumes)
	return writeJSON(w, http.StatusOK, res)
}

func (s *Server) volumeCreate(w http.ResponseWriter, r *http.Request, _ vars) error {
	var req volume.CreateRequest
	if err := readJSON(w, r, &req, true); err != nil {
		return err
	}
	v, err := s.backend.VolumeCreate(r.Context(), req)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, v)
}

func (s *Server) volumesPrune(w http.ResponseWriter, r *http.Request, _ vars) error {
	f, err := filters(r)
	if err != nil {
		return err
	}
	res, err := s.backend.VolumesPrune(r.Context(), f)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, res)
}

func (s *Server) volumeInspect(w http.ResponseWriter, r *http.Request, v vars) error {
	res, err := s.backend.VolumeInspect(r.Context(), v["name"])
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, res)
}

func (s *Server) volumeRemove(w http.ResponseWriter, r *http.Request, v vars) error {
	return noContent(w, s.backend.VolumeRemove(r.Context(), v["name"], flag(r, "force")))
}
