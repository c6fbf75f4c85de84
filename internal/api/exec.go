package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/moby/moby/api/types/container"

	"wherry/internal/daemon"
)

func (s *Server) execRoutes() []route {
	return []route{
		{"POST", "/containers/{id}/exec", s.execCreate},
		{"POST", "/exec/{id}/start", s.execStart},
		{"POST", "/exec/{id}/resize", s.execResize},
		{"GET", "/exec/{id}/json", s.execInspect},
	}
}

func (s *Server) execCreate(w http.ResponseWriter, r *http.Request, v vars) error {
	var req container.ExecCreateRequest
	if err := readJSON(w, r, &req, false); err != nil {
		return err
	}
	id, err := s.backend.ContainerExecCreate(r.Context(), v["id"], req)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, container.ExecCreateResponse{ID: id})
}

// execStart runs an exec: detached it answers when the program runs; else it
// takes the connection over as attach does.
func (s *Server) execStart(w http.ResponseWriter, r *http.Request, v vars) error {
	var req container.ExecStartRequest
	if err := readJSON(w, r, &req, true); err != nil {
		return err
	}
	if req.Detach {
		if err := s.backend.ContainerExecStart(r.Context(), v["id"], nil, nil); err != nil {
			return err
		}
		w.WriteHeader(http.StatusOK)
		return nil
	}
	e, err := s.backend.ContainerExecInspect(r.Context(), v["id"])
	if err != nil {
		return err
	}
	tty := e.ProcessConfig != nil && e.ProcessConfig.Tty
	var conn net.Conn
	var out daemon.Streams
	defer func() {
		if conn != nil {
			closeBoth(conn)
		}
	}()
	// As with attach, the end of the client's half is no reason to stop.
	ctx, leave := context.WithCancel(context.WithoutCancel(r.Context()))
	defer leave()
	err = s.backend.ContainerExecStart(ctx, v["id"], req.ConsoleSize, func() (st daemon.Streams, err error) {
		var buffered *bufio.ReadWriter
		if conn, buffered, err = hijack(w, r, tty); err != nil {
			return st, err
		}
		if e.OpenStdin {
			st.Stdin = &input{r: buffered.Reader, ended: func() { go awaitLeft(conn, leave) }}
		} else {
			go awaitLeft(conn, leave)
		}
		out.Stdout, out.Stderr = outputs(conn, tty)
		if e.OpenStdout {
			st.Stdout = out.Stdout
		}
		if e.OpenStderr {
			st.Stderr = out.Stderr
		}
		return st, nil
	})
	if conn == nil {
		return err
	}
	if err != nil && ctx.Err() == nil {
		// Docker's own words before the reason; the exit code comes by inspect.
		fmt.Fprintf(out.Stderr, "OCI runtime exec failed: %s\r\n", messageOf(err))
		return errors.Join(errAnswered, err)
	}
	return nil
}

func (s *Server) execResize(w http.ResponseWriter, r *http.Request, v vars) error {
	height, width, err := terminalSize(r)
	if err != nil {
		return err
	}
	if err := s.backend.ContainerExecResize(r.Context(), v["id"], height, width); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Server) execInspect(w http.ResponseWriter, r *http.Request, v vars) error {
	res, err := s.backend.ContainerExecInspect(r.Context(), v["id"])
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, res)
}
