package build

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// dockerfile is a parsed one.
type dockerfile struct {
	name   string
	stages []instructions.Stage
	args   []instructions.ArgCommand
	lex    *shell.Lex
	escape rune
	// warnings are the parser's.
	warnings []parser.Warning
}

func parse(name string, text []byte) (*dockerfile, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fmt.Errorf("%s is empty; it begins with FROM: %w", name, errdefs.ErrInvalidArgument)
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, fmt.Errorf("%s is not text: it has zero bytes: %w", name, errdefs.ErrInvalidArgument)
	}
	result, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, located(name, err)
	}
	d := &dockerfile{name: name, lex: shell.NewLex(result.EscapeToken), escape: result.EscapeToken, warnings: result.Warnings}
	if d.stages, d.args, err = instructions.Parse(result.AST, nil); err != nil {
		return nil, located(name, err)
	}
	if len(d.stages) == 0 {
		return nil, fmt.Errorf("%s has no FROM: %w", name, errdefs.ErrInvalidArgument)
	}
	return d, nil
}

// located words an error of the parser with its line in front.
func located(name string, err error) error {
	line, text := 0, err.Error()
	var at *parser.LocationError
	if errors.As(err, &at) {
		text = at.Unwrap().Error()
		if len(at.Locations) > 0 {
			line = firstLine(at.Locations[0])
		}
	}
	text = strings.TrimPrefix(text, fmt.Sprintf("dockerfile parse error on line %d: ", line))
	if line == 0 {
		return fmt.Errorf("%s: %s: %w", name, text, errdefs.ErrInvalidArgument)
	}
	return fmt.Errorf("%s:%d: %s: %w", name, line, text, errdefs.ErrInvalidArgument)
}

func firstLine(at []parser.Range) int {
	if len(at) == 0 {
		return 0
	}
	return at[0].Start.Line
}

// at puts file and line before an error of an instruction, once.
func (d *dockerfile) at(where []parser.Range, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s:%d: %w", d.name, firstLine(where), err)
}

// invalid is an error in what the Dockerfile says.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", fmt.Errorf(format, args...), errdefs.ErrInvalidArgument)
}

// stageByName finds a stage before number n, by name or number.
func (d *dockerfile) stageByName(name string, n int) (int, bool) {
	if i, ok := instructions.HasStage(d.stages[:n], name); ok {
		return i, true
	}
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < n {
		return i, true
	}
	return 0, false
}

// target finds the stage to build.
func (d *dockerfile) target(name string) (int, error) {
	if name == "" {
		return len(d.stages) - 1, nil
	}
	if i, ok := d.stageByName(name, len(d.stages)); ok {
		return i, nil
	}
	var names []string
	for _, s := range d.stages {
		if s.Name != "" {
			names = append(names, s.Name)
		}
	}
	return 0, invalid("%s has no stage %q; its named stages are: %s", d.name, name, strings.Join(names, ", "))
}

// needed marks the stages that stage n takes something from, itself included.
// base gives a stage's FROM with its arguments filled in.
func (d *dockerfile) needed(n int, base func(int) (string, error)) (map[int]bool, error) {
	need := map[int]bool{}
	var mark func(int) error
	mark = func(n int) error {
		if need[n] {
			return nil
		}
		need[n] = true
		name, err := base(n)
		if err != nil {
			return d.at(d.stages[n].Location, err)
		}
		from := []string{name}
		for _, c := range d.stages[n].Commands {
			if c, ok := c.(*instructions.CopyCommand); ok {
				from = append(from, c.From)
			}
		}
		for _, f := range from {
			if i, ok := d.stageByName(f, n); ok {
				if err := mark(i); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return need, mark(n)
}
