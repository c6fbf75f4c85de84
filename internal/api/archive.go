package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/moby/moby/api/types/container"

	"wherry/internal/daemon"
)

func (s *Server) archiveRoutes() []route {
	return []route{
		{"GET", "/containers/{id}/export", s.containerExport},
		{"HEAD", "/containers/{id}/archive", s.containerStatPath},
		{"GET", "/containers/{id}/archive", s.containerArchive},
		{"PUT", "/containers/{id}/archive", s.containerExtract},
	}
}

func (s *Server) containerExport(w http.ResponseWriter, r *http.Request, v vars) error {
	out := newStream(w, "application/x-tar")
	return cut(out, s.backend.ContainerExport(r.Context(), v["id"], out))
}

// cut ends a stream that has no place for an error: one that came after the
// first byte breaks the connection, so that the client doesn't take half of it
// for the whole.
func cut(out *stream, err error) error {
	if err == nil || !out.began {
		return err
	}
	if conn, _, hijackErr := out.rc.Hijack(); hijackErr == nil {
		conn.Close()
	}
	return errors.Join(errAnswered, err)
}

// archivePath is the path that all archive calls need.
func archivePath(r *http.Request) (string, error) {
	path := r.FormValue("path")
	if path == "" {
		return "", invalid("the request has no parameter path")
	}
	return path, nil
}

// setPathStat puts what is known of a path where docker cp looks for it.
func setPathStat(w http.ResponseWriter, st container.PathStat) error {
	b, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("encode the path's state: %w", err)
	}
	w.Header().Set("X-Docker-Container-Path-Stat", base64.StdEncoding.EncodeToString(b))
	return nil
}

func (s *Server) containerStatPath(w http.ResponseWriter, r *http.Request, v vars) error {
	path, err := archivePath(r)
	if err != nil {
		return err
	}
	st, err := s.backend.ContainerStatPath(r.Context(), v["id"], path)
	if err != nil {
		return err
	}
	return setPathStat(w, st)
}

func (s *Server) containerArchive(w http.ResponseWriter, r *http.Request, v vars) error {
	path, err := archivePath(r)
	if err != nil {
		return err
	}
	tar, st, err := s.backend.ContainerArchive(r.Context(), v["id"], path)
	if err != nil {
		return err
	}
	defer tar.Close()
	if err := setPathStat(w, st); err != nil {
		return err
	}
	out := newStream(w, "application/x-tar")
	_, err = io.Copy(out, tar)
	return cut(out, err)
}

func (s *Server) containerExtract(w http.ResponseWriter, r *http.Request, v vars) error {
	path, err := archivePath(r)
	if err != nil {
		return err
	}
	o := daemon.ExtractOptions{
		NoOverwriteDirNonDir: flag(r, "noOverwriteDirNonDir"),
		CopyUIDGID:           flag(r, "copyUIDGID"),
	}
	if err := s.backend.ContainerExtract(r.Context(), v["id"], path, o, r.Body); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
