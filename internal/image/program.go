package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/containerd/errdefs"
)

// Program is what a container runs.
type Program struct {
	// File is the program's file, open for reading; the caller closes it.
	File *os.File
	// Path is where it was found: absolute and clean, but maybe by way of
	// symbolic links.
	Path string
	// Func is the export to call, "_start" unless the entrypoint said
	// file.wasm#func.
	Func string
	// Args are the guest's arguments, the program's name first.
	Args []string
}

// Opener opens the file at an absolute, clean path of a container for reading,
// as the container sees its files: links lead nowhere out of it. Where nothing
// is there the error is fs.ErrNotExist; a folder is an error too.
type Opener func(path string) (*os.File, error)

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

// ResolveProgram finds what args say to run among a container's files: the
// first argument is a path, absolute or relative to cwd, or a bare name, looked
// for in cwd, in / and in the folders of PATH (search, as in the variable). A
// "#func" after the file names the export to call. Whether the file is a module
// is not its business. Errors are *ProgramError in Docker's words.
func ResolveProgram(args []string, cwd, search string, open Opener) (Program, error) {
	args = StripInit(args)
	if len(args) == 0 || args[0] == "" {
		return Program{}, &ProgramError{127, "no command specified: the image names no entrypoint, and none was given"}
	}
	name := args[0]
	if len(name) > 4096 || strings.ContainsRune(name, 0) {
		return Program{}, missing(shorten(name), "file name too long")
	}
	file, fn := name, "_start"
	p, err := find(file, cwd, search, open)
	if err != nil {
		// A '#' may be part of a file's name, so the whole is tried first.
		i := strings.LastIndexByte(name, '#')
		if i <= 0 || i == len(name)-1 || !isMissing(err) {
			return Program{}, err
		}
		file, fn = name[:i], name[i+1:]
		if p, err = find(file, cwd, search, open); err != nil {
			return Program{}, err
		}
	}
	p.Func, p.Args = fn, append([]string{file}, args[1:]...)
	return p, nil
}

// find looks for a program as ResolveProgram says.
func find(name, cwd, search string, open Opener) (Program, error) {
	if cwd == "" {
		cwd = "/"
	}
	places := []string{path.Join("/", cwd, name)}
	if path.IsAbs(name) {
		places = []string{path.Clean(name)}
	} else if places = append(places, path.Join("/", name)); !strings.Contains(name, "/") {
		for dir := range strings.SplitSeq(search, ":") {
			if path.IsAbs(dir) {
				places = append(places, path.Join(dir, name))
			}
		}
	}
	for _, p := range places {
		f, err := open(p)
		if err == nil {
			return Program{File: f, Path: p}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return Program{}, unusable(name, reason(err))
		}
	}
	if !strings.Contains(name, "/") {
		return Program{}, missing(name, "no such file or directory: executable file not found in the image's / or $PATH")
	}
	return Program{}, missing(name, fmt.Sprintf("stat %s: no such file or directory", places[0]))
}

func isMissing(err error) bool {
	var p *ProgramError
	return errors.As(err, &p) && p.Code == 127
}

// reason cuts an error to the system's words.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// shorten keeps a hostile name from filling a message.
func shorten(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
