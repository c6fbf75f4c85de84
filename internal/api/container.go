package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/moby/moby/api/types/container"

	"wherry/internal/daemon"
)

func (s *Server) containerRoutes() []route {
	return []route{
		{"GET", "/containers/json", s.containerList},
		{"POST", "/containers/create", s.containerCreate},
		{"POST", "/containers/prune", s.containersPrune},
		{"GET", "/containers/{id}/json", s.containerInspect},
		{"GET", "/containers/{id}/top", s.containerTop},
		{"GET", "/containers/{id}/changes", s.containerChanges},
		{"GET", "/containers/{id}/stats", s.containerStats},
		{"POST", "/containers/{id}/start", s.containerStart},
		{"POST", "/containers/{id}/stop", s.containerStop},
		{"POST", "/containers/{id}/restart", s.containerRestart},
		{"POST", "/containers/{id}/kill", s.containerKill},
		{"POST", "/containers/{id}/pause", s.containerPause},
		{"POST", "/containers/{id}/unpause", s.containerUnpause},
		{"POST", "/containers/{id}/rename", s.containerRename},
		{"POST", "/containers/{id}/update", s.containerUpdate},
		{"POST", "/containers/{id}/wait", s.containerWait},
		{"POST", "/containers/{id}/resize", s.containerResize},
		{"DELETE", "/containers/{id}", s.containerRemove},
	}
}

func (s *Server) containerList(w http.ResponseWriter, r *http.Request, _ vars) error {
	f, err := filters(r)
	if err != nil {
		return err
	}
	limit, _, err := number(r, "limit")
	if err != nil {
		return err
	}
	o := daemon.ListOptions{All: flag(r, "all"), Size: flag(r, "size"), Filters: f}
	if limit > 0 { // docker-py sends -1 for none
		o.Limit = limit
	}
	all, err := s.backend.ContainerList(r.Context(), o)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list(all))
}

func (s *Server) containerCreate(w http.ResponseWriter, r *http.Request, _ vars) error {
	o := daemon.CreateOptions{Name: r.FormValue("name")}
	var err error
	if o.Platform, err = platform(r); err != nil {
		return err
	}
	if err := readJSON(w, r, &o.Request, false); err != nil {
		return err
	}
	if o.Request.Config == nil || o.Request.Image == "" {
		return invalid("a container needs an image: the request names none")
	}
	if o.Request.HostConfig == nil {
		o.Request.HostConfig = &container.HostConfig{}
	}
	res, err := s.backend.ContainerCreate(r.Context(), o)
	if err != nil {
		return err
	}
	res.Warnings = list(res.Warnings)
	return writeJSON(w, http.StatusCreated, res)
}

func (s *Server) containersPrune(w http.ResponseWriter, r *http.Request, _ vars) error {
	f, err := filters(r)
	if err != nil {
		return err
	}
	res, err := s.backend.ContainersPrune(r.Context(), f)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, res)
}

func (s *Server) containerInspect(w http.ResponseWriter, r *http.Request, v vars) error {
	res, err := s.backend.ContainerInspect(r.Context(), v["id"], flag(r, "size"))
	if err != nil {
		return err
	}
	box, err := s.backend.ContainerSandbox(r.Context(), v["id"])
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		container.InspectResponse
		Wherry daemon.Sandbox
	}{res, box})
}

func (s *Server) containerTop(w http.ResponseWriter, r *http.Request, v vars) error {
	var args []string
	if a := r.FormValue("ps_args"); a != "" {
		args = []string{a}
	}
	res, err := s.backend.ContainerTop(r.Context(), v["id"], args)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, res)
}

func (s *Server) containerChanges(w http.ResponseWriter, r *http.Request, v vars) error {
	res, err := s.backend.ContainerChanges(r.Context(), v["id"])
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list(res))
}

func (s *Server) containerStats(w http.ResponseWriter, r *http.Request, v vars) error {
	out := newStream(w, "application/json")
	enc := json.NewEncoder(out)
	err := s.backend.ContainerStats(r.Context(), v["id"], flagOr(r, "stream", true), func(st container.StatsResponse) error {
		return enc.Encode(st)
	})
	if err != nil && out.began {
		return errors.Join(errAnswered, err)
	}
	return err
}

func (s *Server) containerStart(w http.ResponseWriter, r *http.Request, v vars) error {
	return noContent(w, s.backend.ContainerStart(r.Context(), v["id"]))
}

// stopOptions reads what stop and restart share.
func stopOptions(r *http.Request) (daemon.StopOptions, error) {
	o := daemon.StopOptions{Signal: r.FormValue("signal")}
	t, given, err := number(r, "t")
	if given {
		o.Timeout = &t
	}
	return o, err
}

func (s *Server) containerStop(w http.ResponseWriter, r *http.Request, v vars) error {
	o, err := stopOptions(r)
	if err != nil {
		return err
	}
	return noContent(w, s.backend.ContainerStop(r.Context(), v["id"], o))
}

func (s *Server) containerRestart(w http.ResponseWriter, r *http.Request, v vars) error {
	o, err := stopOptions(r)
	if err != nil {
		return err
	}
	return noContent(w, s.backend.ContainerRestart(r.Context(), v["id"], o))
}

func (s *Server) containerKill(w http.ResponseWriter, r *http.Request, v vars) error {
	signal := r.FormValue("signal")
	if signal == "" {
		signal = "SIGKILL"
	}
	return noContent(w, s.backend.ContainerKill(r.Context(), v["id"], signal))
}

func (s *Server) containerPause(w http.ResponseWriter, r *http.Request, v vars) error {
	return noContent(w, s.backend.ContainerPause(r.Context(), v["id"]))
}

func (s *Server) containerUnpause(w http.ResponseWriter, r *http.Request, v vars) error {
	return noContent(w, s.backend.ContainerUnpause(r.Context(), v["id"]))
}

func (s *Server) containerRename(w http.ResponseWriter, r *http.Request, v vars) error {
	name := r.FormValue("name")
	if name == "" {
		return invalid("rename needs a new name: the request has no parameter name")
	}
	return noContent(w, s.backend.ContainerRename(r.Context(), v["id"], name))
}

func (s *Server) containerUpdate(w http.ResponseWriter, r *http.Request, v vars) error {
	var u container.UpdateConfig
	if err := readJSON(w, r, &u, false); err != nil {
		return err
	}
	res, err := s.backend.ContainerUpdate(r.Context(), v["id"], u)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, res)
}

// containerWait sends its headers before it blocks: clients start the container
// only after they have them.
func (s *Server) containerWait(w http.ResponseWriter, r *http.Request, v vars) error {
	condition := container.WaitCondition(r.FormValue("condition"))
	switch condition {
	case "":
		condition = container.WaitConditionNotRunning
	case container.WaitConditionNotRunning, container.WaitConditionNextExit, container.WaitConditionRemoved:
	default:
		return invalid("invalid condition: %q (want not-running, next-exit or removed)", condition)
	}
	ended, err := s.backend.ContainerWait(r.Context(), v["id"], condition)
	if err != nil {
		return err
	}
	out := newStream(w, "application/json")
	if err := out.begin(); err != nil {
		return errors.Join(errAnswered, err)
	}
	select {
	case res, ok := <-ended:
		if !ok {
			res.Error = &container.WaitExitError{Message: "the engine is shutting down; the container goes on"}
		}
		if err := json.NewEncoder(out).Encode(res); err != nil {
			return errors.Join(errAnswered, err)
		}
	case <-r.Context().Done():
	}
	return nil
}

func (s *Server) containerResize(w http.ResponseWriter, r *http.Request, v vars) error {
	height, width, err := terminalSize(r)
	if err != nil {
		return err
	}
	if err := s.backend.ContainerResize(r.Context(), v["id"], height, width); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// terminalSize reads the size that a terminal is to have.
func terminalSize(r *http.Request) (height, width uint32, err error) {
	h, _, err := number(r, "h")
	if err != nil {
		return 0, 0, err
	}
	w, _, err := number(r, "w")
	if err != nil {
		return 0, 0, err
	}
	if h < 0 || h > 65535 || w < 0 || w > 65535 {
		return 0, 0, invalid("a terminal has 0 to 65535 rows and columns, not %d by %d", h, w)
	}
	return uint32(h), uint32(w), nil
}

func (s *Server) containerRemove(w http.ResponseWriter, r *http.Request, v vars) error {
	if flag(r, "link") {
		return notBuilt("links between containers")
	}
	o := daemon.RemoveOptions{Force: flag(r, "force"), Volumes: flag(r, "v")}
	return noContent(w, s.backend.ContainerRemove(r.Context(), v["id"], o))
}
