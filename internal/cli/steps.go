package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/moby/moby/api/types/jsonstream"
)

// steps shows how a build gets on. On a terminal what is being done is one
// line that the next one replaces, and that is gone at the end; what users
// should know, such as notes, warnings and the output of RUN, stays. Elsewhere
// all of it is plain lines.
type steps struct {
	out io.Writer
	// width is the terminal's, in columns; 0 where there is none.
	width int
	// current is the line on show, partial what came of a text's next line.
	current, partial string
}

// passing are the beginnings of lines that count only while a build runs: the
// classic builder's, the toolchain's and the go command's.
var passing = []string{"Step ", " ---> ", "Successfully ", "compiling ", "go: "}

// Write takes text in pieces of any length.
func (s *steps) Write(p []byte) (int, error) {
	text := s.partial + string(p)
	for {
		line, rest, ok := strings.Cut(text, "\n")
		if !ok {
			s.partial = text
			return len(p), nil
		}
		text = rest
		if err := s.line(line); err != nil {
			return 0, err
		}
	}
}

func (s *steps) line(line string) error {
	if s.width > 0 {
		for _, p := range passing {
			if strings.HasPrefix(line, p) {
				return s.pass(line)
			}
		}
	}
	back := s.current
	if err := s.pass(""); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(s.out, line); err != nil {
		return err
	}
	return s.pass(back)
}

// pass replaces the line on show, by none if it is empty.
func (s *steps) pass(line string) error {
	if s.width == 0 || line == s.current {
		return nil
	}
	s.current = line
	shown := []rune(strings.Map(printable, line))
	if len(shown) >= s.width {
		shown = shown[:s.width-1]
	}
	_, err := io.WriteString(s.out, "\r\x1b[K"+string(shown))
	return err
}

// printable keeps a line of someone else's from moving the cursor.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

// message shows a message of the build's stream.
func (s *steps) message(m jsonstream.Message, _ io.Writer) error {
	switch {
	case m.Error != nil:
		return m.Error
	case m.Stream != "":
		_, err := s.Write([]byte(m.Stream))
		return err
	case m.Status == "":
		return nil
	case s.width == 0:
		if m.Progress != nil {
			return nil // a log wants what happened, not how far it is
		}
		return s.line(strings.TrimPrefix(m.ID+": "+m.Status, ": "))
	}
	line := strings.TrimPrefix(m.ID+": "+m.Status, ": ")
	if p := m.Progress; p != nil && p.Total > 0 {
		line += fmt.Sprintf(" %s of %s", humanSize(p.Current), humanSize(p.Total))
	}
	return s.pass(line)
}

// end leaves nothing on show.
func (s *steps) end() error {
	if s.partial != "" {
		line := s.partial
		s.partial = ""
		if err := s.line(line); err != nil {
			return err
		}
	}
	return s.pass("")
}
