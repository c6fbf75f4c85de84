package api

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"

	"wherry/internal/daemon/event"
)

func (s *Server) systemRoutes() []route {
	return []route{
		{"GET", "/_ping", ping},
		{"HEAD", "/_ping", ping},
		{"GET", "/version", s.version},
		{"GET", "/info", s.info},
		{"GET", "/events", s.events},
		{"GET", "/system/df", s.diskUsage},
		{"POST", "/auth", s.auth},
	}
}

// ping tells clients which version to speak and which builder to use: 1 is the
// classic one (POST /build), which the stock client takes without a plugin.
func ping(w http.ResponseWriter, r *http.Request, _ vars) error {
	h := w.Header()
	h.Set("Builder-Version", string(build.BuilderV1))
	h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
	h.Set("Pragma", "no-cache")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		io.WriteString(w, "OK")
	}
	return nil
}

func (s *Server) version(w http.ResponseWriter, r *http.Request, _ vars) error {
	v, err := s.backend.SystemVersion(r.Context())
	if err != nil {
		return err
	}
	v.APIVersion, v.MinAPIVersion = MaxVersion, MinVersion
	for i, c := range v.Components {
		if c.Name == "Engine" { // where docker version looks for them
			details := maps.Clone(c.Details)
			if details == nil {
				details = map[string]string{}
			}
			details["ApiVersion"], details["MinAPIVersion"] = MaxVersion, MinVersion
			v.Components[i].Details = details
		}
	}
	return writeJSON(w, http.StatusOK, v)
}

func (s *Server) info(w http.ResponseWriter, r *http.Request, _ vars) error {
	info, err := s.backend.SystemInfo(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, info)
}

func (s *Server) auth(w http.ResponseWriter, r *http.Request, _ vars) error {
	var auth registry.AuthConfig
	if err := readJSON(w, r, &auth, false); err != nil {
		return err
	}
	res, err := s.backend.SystemAuth(r.Context(), auth)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, res)
}

// message is an event with the fields that API versions before 1.52 repeat at
// the top, where docker-py and others look.
type message struct {
	Status string `json:"status,omitempty"`
	ID     string `json:"id,omitempty"`
	From   string `json:"from,omitempty"`
	events.Message
}

func legacyEvent(m events.Message) message {
	e := message{Message: m}
	switch m.Type {
	case events.ContainerEventType, events.ImageEventType:
		e.Status, e.ID = string(m.Action), m.Actor.ID
	}
	if m.Type == events.ContainerEventType {
		e.From = m.Actor.Attributes["image"]
	}
	return e
}

func (s *Server) events(w http.ResponseWriter, r *http.Request, _ vars) error {
	since, err := instant(r, "since")
	if err != nil {
		return err
	}
	until, err := instant(r, "until")
	if err != nil {
		return err
	}
	if !until.IsZero() && !since.IsZero() && until.Before(since) {
		return invalid("until (%s) is before since (%s)", r.FormValue("until"), r.FormValue("since"))
	}
	f, err := filters(r)
	if err != nil {
		return err
	}
	if _, err := event.Matcher(f); err != nil {
		return err // while the answer can still be a refusal
	}
	out := newStream(w, "application/json")
	if err := out.begin(); err != nil {
		return errors.Join(errAnswered, err)
	}
	enc := json.NewEncoder(out)
	err = s.backend.Events(r.Context(), since, until, f, func(m events.Message) error {
		return enc.Encode(legacyEvent(m))
	})
	if r.Context().Err() != nil {
		return nil
	}
	return out.finish(err)
}

// legacyDiskUsage is the answer's form before API 1.52.
type legacyDiskUsage struct {
	LayersSize  int64
	Images      []image.Summary
	Containers  []container.Summary
	Volumes     []volume.Volume
	BuildCache  []build.CacheRecord
	BuilderSize int64
}

func (s *Server) diskUsage(w http.ResponseWriter, r *http.Request, _ vars) error {
	kinds := []system.DiskUsageObject{}
	for _, k := range r.URL.Query()["type"] {
		kind := system.DiskUsageObject(k)
		switch kind {
		case system.ContainerObject, system.ImageObject, system.VolumeObject, system.BuildCacheObject:
			kinds = append(kinds, kind)
		default:
			return invalid("unknown object type: %s (want container, image, volume or build-cache)", k)
		}
	}
	// The form before 1.52 always lists the items, which is what verbose asks.
	du, err := s.backend.SystemDiskUsage(r.Context(), kinds, true)
	if err != nil {
		return err
	}
	out := legacyDiskUsage{
		Images: []image.Summary{}, Containers: []container.Summary{},
		Volumes: []volume.Volume{}, BuildCache: []build.CacheRecord{},
	}
	if u := du.ImageUsage; u != nil {
		out.LayersSize, out.Images = u.TotalSize, list(u.Items)
	}
	if u := du.ContainerUsage; u != nil {
		out.Containers = list(u.Items)
	}
	if u := du.VolumeUsage; u != nil {
		out.Volumes = list(u.Items)
	}
	if u := du.BuildCacheUsage; u != nil {
		out.BuildCache, out.BuilderSize = list(u.Items), u.TotalSize
	}
	return writeJSON(w, http.StatusOK, out)
}
