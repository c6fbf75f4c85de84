// Package source makes the build context of `wherry build DIR`: the folder's
// files without what .dockerignore leaves out, and, where the folder holds a
// program's source, that program compiled by the machine's own toolchain.
//
// The rule, which the user documentation repeats:
//
//   - The compiled program is called app.wasm ([Product]). It joins the context;
//     nothing is written into the folder, but for the Cargo.lock that cargo keeps.
//   - A folder with a Dockerfile is compiled if that Dockerfile copies app.wasm
//     and the folder has no file of that name. If it has, that file is taken.
//   - A folder without a Dockerfile is compiled, and gets a Dockerfile that
//     runs app.wasm.
//
// It runs on the client's side, on every system, and must know neither the
// daemon nor the store.
package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/errdefs"

	"wherry/internal/module"
)

// Product is the name under which a compiled program joins the context.
const Product = "app.wasm"

// Options tell what to build. Dir is required.
type Options struct {
	// Dir is the folder.
	Dir string
	// Dockerfile is as the user gave it: a path, relative to the working
	// folder or else to Dir; "-" for Stdin; empty for Dir's own, if it has one.
	Dockerfile string
	Stdin      io.Reader
	// Log gets a line about what is compiled and the toolchain's own output;
	// nil discards them.
	Log io.Writer
}

// Context is a build context.
type Context struct {
	// Tar is the archive; an error of reading the folder comes from its Read.
	// It must be closed.
	Tar io.ReadCloser
	// Dockerfile is its name in the archive.
	Dockerfile string
	// Language is what was compiled: "go", "rust" or "c", empty if nothing.
	Language string
}

// Open makes the context. Errors are errdefs.ErrInvalidArgument where the
// folder isn't buildable, errdefs.ErrUnavailable where a toolchain is missing.
func Open(ctx context.Context, o Options) (*Context, error) {
	c, err := openContext(ctx, o)
	return c, forPeople(err)
}

// classes are the classes of this package's errors.
var classes = []error{errdefs.ErrInvalidArgument, errdefs.ErrNotFound, errdefs.ErrUnavailable}

// worded is an error whose text leaves out its class.
type worded struct {
	text string
	err  error
}

func (w *worded) Error() string { return w.text }
func (w *worded) Unwrap() error { return w.err }

// forPeople takes the class's name off the end of an error's text: what is
// wrong is said before it, and nobody but programs asks for the class.
func forPeople(err error) error {
	if err == nil {
		return nil
	}
	for _, c := range classes {
		if text, ok := strings.CutSuffix(err.Error(), ": "+c.Error()); ok {
			return &worded{text, err}
		}
	}
	return err
}

func openContext(ctx context.Context, o Options) (*Context, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	if err := checkDir(o.Dir); err != nil {
		return nil, err
	}
	file, err := findDockerfile(o)
	if err != nil {
		return nil, err
	}
	compile, err := wantsCompiling(o.Dir, file)
	if err != nil {
		return nil, err
	}
	c := &Context{Dockerfile: file.name}
	extra := map[string][]byte{}
	if compile {
		lang, err := detect(o.Dir)
		if err != nil {
			return nil, err
		}
		wasm, err := compileWith(ctx, lang, o)
		if err != nil {
			return nil, err
		}
		c.Language = lang.name()
		extra[Product] = wasm
	}
	switch {
	case file.text == nil:
		if file.text, err = synthesise(o.Dir, extra[Product]); err != nil {
			return nil, err
		}
		extra[file.name] = file.text
	case !file.inside:
		extra[file.name] = file.text
	}
	if c.Tar, err = archive(o.Dir, file.name, extra, o.Log); err != nil {
		return nil, err
	}
	return c, nil
}

func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no folder %s to build: %w", dir, errdefs.ErrNotFound)
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is a file; build wants the folder it lies in: %w", dir, errdefs.ErrInvalidArgument)
	}
	return nil
}

// wantsCompiling applies the rule above. Preconditions: dir is a folder.
func wantsCompiling(dir string, file dockerfile) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, Product))
	switch {
	case err == nil:
		return false, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	case file.text == nil:
		return true, nil
	}
	return copiesProduct(file.text), nil
}

// synthesise writes the Dockerfile of a folder that has none.
func synthesise(dir string, wasm []byte) ([]byte, error) {
	if wasm == nil {
		var err error
		if wasm, err = os.ReadFile(filepath.Join(dir, Product)); err != nil {
			return nil, err
		}
	}
	info, err := module.InspectBytes(wasm)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, Product), err)
	}
	var b bytes.Buffer
	b.WriteString("FROM scratch\nCOPY " + Product + " /" + Product + "\n")
	if info.CanListen() {
		b.WriteString("EXPOSE 8080\n")
	}
	b.WriteString("ENTRYPOINT [\"/" + Product + "\"]\n")
	return b.Bytes(), nil
}
