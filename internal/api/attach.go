package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"wherry/internal/daemon"
)

func (s *Server) streamRoutes() []route {
	return []route{
		{"POST", "/containers/{id}/attach", s.containerAttach},
		{"GET", "/containers/{id}/logs", s.containerLogs},
	}
}

// containerAttach takes the connection over: 101 and either side may end its
// half alone; older clients that ask for no upgrade get 200 and the same bytes.
// The container's stdin is what the client sends, from its first byte, also
// before the container starts.
func (s *Server) containerAttach(w http.ResponseWriter, r *http.Request, v vars) error {
	c, err := s.backend.ContainerInspect(r.Context(), v["id"], false)
	if err != nil {
		return err
	}
	tty := c.Config != nil && c.Config.Tty
	o := daemon.AttachOptions{
		Stdin: flag(r, "stdin"), Stdout: flag(r, "stdout"), Stderr: flag(r, "stderr"),
		Logs: flag(r, "logs"), Stream: flag(r, "stream"),
	}
	if !o.Logs && !o.Stream {
		return invalid("attach needs logs, stream or both: the request asks for neither")
	}
	if keys := r.FormValue("detachKeys"); o.Stdin && tty && keys != "" {
		// Clients of this API look for the keys themselves before they send.
		s.log.Debug("attach", "detachKeys", keys)
	}

	var conn net.Conn
	defer func() {
		if conn != nil {
			closeBoth(conn)
		}
	}()
	// The request's own context ends when the HTTP server's reader meets the
	// end of the client's half, which is no reason to stop.
	ctx, leave := context.WithCancel(context.WithoutCancel(r.Context()))
	defer leave()
	err = s.backend.ContainerAttach(ctx, v["id"], o, func() (daemon.Streams, error) {
		var buffered *bufio.ReadWriter
		var err error
		conn, buffered, err = hijack(w, r, tty)
		if err != nil {
			return daemon.Streams{}, err
		}
		var st daemon.Streams
		stdout, stderr := outputs(conn, tty)
		if o.Stdin {
			st.Stdin = &input{r: buffered.Reader, ended: func() { go awaitLeft(conn, leave) }}
		} else {
			go awaitLeft(conn, leave)
		}
		if o.Stdout {
			st.Stdout = stdout
		}
		if o.Stderr {
			st.Stderr = stderr
		}
		return st, nil
	})
	if conn == nil {
		return err
	}
	if err != nil && ctx.Err() == nil {
		if !tty {
			fmt.Fprintf(frames{&muxer{w: conn}, frameSystem}, "%s\n", messageOf(err))
		}
		return errors.Join(errAnswered, err)
	}
	return nil
}

// input is what a client sends; ended is called once at its end.
type input struct {
	r     io.Reader
	ended func()
	done  bool
}

func (i *input) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	if err != nil && !i.done {
		i.done = true
		i.ended()
	}
	return n, err
}

// hijack takes the connection from the HTTP server and sends the headers.
func hijack(w http.ResponseWriter, r *http.Request, tty bool) (net.Conn, *bufio.ReadWriter, error) {
	kind := typeMultiplexed
	if tty {
		kind = typeRaw
	}
	header := "HTTP/1.1 200 OK\r\nContent-Type: " + typeRaw + "\r\n\r\n"
	if r.Header.Get("Upgrade") != "" {
		header = "HTTP/1.1 101 UPGRADED\r\nContent-Type: " + kind + "\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("take over the connection: %w", err)
	}
	if _, err := io.WriteString(conn, header); err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("answer the attach: %w", err)
	}
	return conn, buffered, nil
}

// closeBoth ends our half first, so that the client reads the end and not a
// reset where it still sends.
func closeBoth(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	conn.Close()
}
