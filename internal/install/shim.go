package install

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/containerd/errdefs"
)

// Names are the runtimes that Wherry answers to, io.containerd.NAME.v1. The
// first is the program's own; the others are links to it.
var Names = []string{"wherry", "wasmedge", "wasmtime", "wazero"}

// shimPackage is the program's main package, which Go writes into it.
const shimPackage = "wherry/cmd/containerd-shim-wherry-v1"

// program is the file name by which containerd looks for a runtime's shim.
func program(name string) string { return "containerd-shim-" + name + "-v1" }

// ours tells whether a file is a shim of Wherry's, of any version.
func ours(path string) bool {
	info, err := buildinfo.ReadFile(path)
	return err == nil && info.Path == shimPackage
}

// placed is a name at which Wherry's shim was put; why it was not, otherwise.
type placed struct {
	Name, Path string
	Why        string
}

// place copies the shim into a folder and links its other names to it. What
// another project has there stays.
func place(shim, dir string) (list []placed, err error) {
	if !ours(shim) {
		return nil, fmt.Errorf("%s is not Wherry's shim: build it with make build: %w", shim, errdefs.ErrInvalidArgument)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for i, name := range Names {
		p := placed{Name: name, Path: filepath.Join(dir, program(name))}
		if _, err := os.Lstat(p.Path); err == nil && !ours(p.Path) {
			p.Why = "another project's shim is there; take it away and install again to have Wherry answer"
			list = append(list, p)
			if i == 0 {
				return list, fmt.Errorf("%s is there and is not Wherry's: %w", p.Path, errdefs.ErrAlreadyExists)
			}
			continue
		}
		if i == 0 {
			err = copyProgram(shim, p.Path)
		} else {
			err = link(program(Names[0]), p.Path)
		}
		if err != nil {
			return list, fmt.Errorf("install %s: %w", p.Path, err)
		}
		list = append(list, p)
	}
	return list, nil
}

// copyProgram puts a program in place at once: one that runs keeps its file.
func copyProgram(from, to string) (err error) {
	if a, err := os.Stat(from); err == nil {
		if b, err := os.Stat(to); err == nil && os.SameFile(a, b) {
			return nil
		}
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(out.Name())
		}
	}()
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Chmod(0o755), out.Sync(), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), to)
}

func link(target, path string) error {
	if have, err := os.Readlink(path); err == nil && have == target {
		return nil
	}
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, temp); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// unplace takes Wherry's shims out of a folder, and tells which.
func unplace(dir string) (gone []string, err error) {
	// The links first: without the program they are nobody's.
	for i := len(Names) - 1; i >= 0; i-- {
		path := filepath.Join(dir, program(Names[i]))
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) || !ours(path) {
			continue
		}
		if err := os.Remove(path); err != nil {
			return gone, err
		}
		gone = append(gone, path)
	}
	return gone, nil
}

// findShim is the shim to install: beside this program, or on PATH.
func findShim() (string, error) {
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			self = real
		}
		if path := filepath.Join(filepath.Dir(self), program(Names[0])); ours(path) {
			return path, nil
		}
	}
	if path, err := exec.LookPath(program(Names[0])); err == nil && ours(path) {
		return path, nil
	}
	return "", fmt.Errorf("%s is neither beside this program nor on PATH: build it with make build, or name it with --shim: %w", program(Names[0]), errdefs.ErrNotFound)
}
