package build

import (
	"strings"

	"github.com/google/shlex"
)

// words is the shell form of CMD, ENTRYPOINT and RUN in an image without a
// shell: the line split into words as a shell would, for what needs no shell.
func words(line string) ([]string, error) {
	if op := shellOperator(line); op != "" {
		return nil, invalid("a Wasm image has no shell, and %q needs one; write the program and its arguments as a JSON list", op)
	}
	args, err := shlex.Split(line)
	if err != nil {
		return nil, invalid("%q: %w", line, err)
	}
	if len(args) == 0 {
		return nil, invalid("there is no program to run")
	}
	return args, nil
}

// shellOperator finds what a shell would act on, outside of quotes.
func shellOperator(line string) string {
	var quote rune
	escaped := false
	for _, r := range line {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
		case quote != 0:
			if r == quote {
				quote = 0
			} else if quote == '"' && (r == '$' || r == '`') {
				return string(r)
			}
		case r == '\'' || r == '"':
			quote = r
		case strings.ContainsRune("|&;<>()$`*?[#~\n", r):
			return string(r)
		}
	}
	return ""
}

// command is what CMD, ENTRYPOINT or RUN say to run. Where the image has a
// shell, by SHELL or by being Linux, the shell form is the shell's.
func (s *stage) command(verb string, line []string, shellForm bool) ([]string, error) {
	if !shellForm {
		return line, nil
	}
	text := strings.Join(line, " ")
	if len(s.config.Config.Shell) > 0 {
		return append(append([]string{}, s.config.Config.Shell...), text), nil
	}
	if !s.wasm() {
		return []string{"/bin/sh", "-c", text}, nil
	}
	args, err := words(text)
	if err != nil {
		return nil, err
	}
	s.out.text("Note: a Wasm image has no shell, so %s runs %q directly\n", verb, args)
	return args, nil
}
