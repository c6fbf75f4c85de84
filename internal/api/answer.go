package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/moby/moby/api/types/jsonstream"
)

// writeJSON answers with a value. A client that left meanwhile is no error of
// the call's.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
	return nil
}

// noContent answers 204, or passes the error on.
func noContent(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// list is v, or an empty list where v is nil: clients iterate over these.
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}

// stream writes an answer bit by bit and sends each bit at once. The status is
// decided by the first write: an error before that still gets its own.
type stream struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	began bool
}

func newStream(w http.ResponseWriter, contentType string) *stream {
	w.Header().Set("Content-Type", contentType)
	return &stream{w: w, rc: http.NewResponseController(w)}
}

// begin sends the headers, for clients that wait for them before they go on.
func (s *stream) begin() error {
	s.began = true
	s.w.WriteHeader(http.StatusOK)
	return s.rc.Flush()
}

func (s *stream) Write(p []byte) (int, error) {
	s.began = true
	n, err := s.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, s.rc.Flush()
}

// finish ends a stream of JSON lines: an error that came after the first line
// becomes the last one, in the form that progress displays look for.
func (s *stream) finish(err error) error {
	if err == nil {
		if !s.began {
			return s.begin()
		}
		return nil
	}
	if !s.began {
		return err
	}
	text := messageOf(err)
	line, encErr := json.Marshal(struct {
		jsonstream.Message
		Text string `json:"error"` // older clients look here
	}{jsonstream.Message{Error: &jsonstream.Error{Message: text}}, text})
	if encErr == nil {
		s.Write(append(line, '\r', '\n'))
	}
	return errors.Join(errAnswered, err)
}
