package build

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/distribution/reference"
)

// stream writes what POST /build answers: the classic builder's text in JSON
// lines. A client that left is noticed by the request's context, so errors of
// writing are not errors of the build.
type stream struct {
	w     io.Writer
	quiet bool
}

func (s *stream) send(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		return // the values are strings and numbers
	}
	_, _ = s.w.Write(append(b, '\n'))
}

func (s *stream) text(format string, args ...any) {
	if !s.quiet {
		s.send(map[string]string{"stream": fmt.Sprintf(format, args...)})
	}
}

// Write passes on a guest's output.
func (s *stream) Write(p []byte) (int, error) {
	s.text("%s", strings.ToValidUTF8(string(p), "\uFFFD"))
	return len(p), nil
}

// finished tells the result, in words and for programs (aux).
func (s *stream) finished(r Result) {
	s.send(map[string]any{"aux": r})
	if s.quiet {
		s.send(map[string]string{"stream": r.ID.String() + "\n"})
		return
	}
	if r.Warning != "" {
		s.text("Warning: %s\n", r.Warning)
	}
	s.text("Successfully built %s\n", r.ID.Encoded()[:12])
	for _, n := range r.Names {
		if named, err := reference.ParseNormalizedNamed(n); err == nil {
			n = reference.FamiliarString(named)
		}
		s.text("Successfully tagged %s\n", n)
	}
}
