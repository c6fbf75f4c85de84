package image

import (
	"fmt"
	"path"
	"strings"

	"github.com/containerd/errdefs"
)

// Program is what a container runs.
type Program struct {
	// Path is the module's path inside the container, absolute and without
	// symbolic links.
	Path string
	// Host is the same file's path on this machine.
	Host string
	// Func is the export to call, "_start" unless the entrypoint said
	// file.wasm#func.
	Func string
	// Args are the guest's arguments, the program's name first.
	Args []string
	// Text tells that the file is in the text format (.wat).
	Text bool
}

// A ProgramError tells why a container's program can't be run. Its words are
// those by which Docker's clients choose the exit code.
type ProgramError struct {
	// Code is the exit code: 127 where the program is not there, 126 where it
	// can't be run.
	Code int
	msg  string
}

// Error implements error.
func (e *ProgramError) Error() string { return e.msg }

// ExitCode is the code that `run` ends with.
func (e *ProgramError) ExitCode() int { return e.Code }

// Unwrap classifies the error.
func (e *ProgramError) Unwrap() error {
	if e.Code == 127 {
		return errdefs.ErrNotFound
	}
	return errdefs.ErrInvalidArgument
}

func missing(name, text string) error {
	return &ProgramError{127, fmt.Sprintf("exec: %q: %s", name, text)}
}

func unusable(name, text string) error {
	return &ProgramError{126, fmt.Sprintf("exec: %q: %s", name, text)}
}

// StripInit removes the init program that Docker (--init), podman and
// Kubernetes put before a container's arguments: a guest has no children to
// reap.
func StripInit(args []string) []string {
	if len(args) < 2 {
		return args
	}
	switch path.Base(args[0]) {
	case "docker-init", "tini", "catatonit", "podman-init":
	default:
		if args[0] != "/dev/init" {
			return args
		}
	}
	for i, a := range args[1:] {
		if a == "--" {
			return args[i+2:]
		}
		if !strings.HasPrefix(a, "-") {
			return args[i+1:]
		}
	}
	return args
}

// Command joins an image's entrypoint and command to a container's arguments,
// as Docker does. program is the artifact's module (Format.Path), which stands
// first where the image names no entrypoint; it is empty for ordinary images.
func Command(entrypoint, cmd []string, program string) []string {
	args := append(append([]string{}, entrypoint...), cmd...)
	if program != "" && len(entrypoint) == 0 {
		args = append([]string{program}, args...)
	}
	return args
}

// ResolveProgram finds what args say to run in a root filesystem: the first
// argument is a path, absolute or relative to cwd, or a bare name, looked for
// in cwd, in / and in the folders of PATH (search, as in the variable). A
// "#func" after the file names the export to call. Symbolic links are followed
// inside the root only. Errors are *ProgramError in Docker's words.
func ResolveProgram(args []string, cwd, search string, root Rootfs) (Program, error) {
	args = StripInit(args)
	if len(args) == 0 || args[0] == "" {
		return Program{}, &ProgramError{127, "no command specified: the image names no entrypoint, and none was given"}
	}
	name := args[0]
	if len(name) > 4096 || strings.ContainsRune(name, 0) {
		return Program{}, missing(shorten(name), "file name too long")
	}
	file, fn := name, "_start"
	found, err := root.find(file, cwd, search)
	if err != nil {
		// A '#' may be part of a file's name, so the whole is tried first.
		i := strings.LastIndexByte(name, '#')
		if i <= 0 || i == len(name)-1 || !isMissing(err) {
			return Program{}, err
		}
		file, fn = name[:i], name[i+1:]
		if found, err = root.find(file, cwd, search); err != nil {
			return Program{}, err
		}
	}
	text, err := found.check(file)
	if err != nil {
		return Program{}, err
	}
	return Program{
		Path: found.path, Host: found.host, Func: fn, Text: text,
		Args: append([]string{file}, args[1:]...),
	}, nil
}

// shorten keeps a hostile name from filling a message.
func shorten(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
