package api

import (
	"errors"
	"net/http"
	"strconv"

	"wherry/internal/daemon"
)

// stampLayout is RFC 3339 with nine digits always, so that columns align and
// a time sorts as text.
const stampLayout = "2006-01-02T15:04:05.000000000Z07:00"

func (s *Server) containerLogs(w http.ResponseWriter, r *http.Request, v vars) error {
	o := daemon.LogsOptions{
		Stdout: flag(r, "stdout"), Stderr: flag(r, "stderr"), Follow: flag(r, "follow"),
		Tail: -1,
	}
	if !o.Stdout && !o.Stderr {
		return invalid("Bad parameters: you must choose at least one stream")
	}
	if t := r.FormValue("tail"); t != "" && t != "all" {
		n, err := strconv.Atoi(t)
		if err != nil {
			return invalid(`tail must be a number of lines or "all", it is %q`, t)
		}
		o.Tail = n
	}
	var err error
	if o.Since, err = instant(r, "since"); err != nil {
		return err
	}
	if o.Until, err = instant(r, "until"); err != nil {
		return err
	}
	c, err := s.backend.ContainerInspect(r.Context(), v["id"], false)
	if err != nil {
		return err
	}

	tty := c.Config != nil && c.Config.Tty
	kind := typeMultiplexed
	if tty {
		kind = typeRaw
	}
	out := newStream(w, kind)
	if o.Follow { // there may be no line for long
		if err := out.begin(); err != nil {
			return errors.Join(errAnswered, err)
		}
	}
	stdout, stderr := outputs(out, tty)
	stamps := flag(r, "timestamps")
	err = s.backend.ContainerLogs(r.Context(), v["id"], o, func(l daemon.LogLine) error {
		line := l.Line
		if stamps {
			line = append(l.Time.UTC().AppendFormat(nil, stampLayout+" "), line...)
		}
		to := stdout
		if l.Stream == "stderr" {
			to = stderr
		}
		_, err := to.Write(line)
		return err
	})
	if r.Context().Err() != nil { // the client had enough
		return nil
	}
	if err != nil && out.began {
		if !tty {
			frames{&muxer{w: out}, frameSystem}.Write([]byte(messageOf(err) + "\n"))
		}
		return errors.Join(errAnswered, err)
	}
	return err
}
