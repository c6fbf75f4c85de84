package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// outsideName is the name in the archive of a Dockerfile that isn't in the
// folder, or that the folder doesn't have.
const outsideName = ".wherry.Dockerfile"

// dockerfile is the one that counts.
type dockerfile struct {
	// name is its name in the archive.
	name string
	// text is nil where one has to be written.
	text []byte
	// inside tells that the folder holds it under its name.
	inside bool
}

func findDockerfile(o Options) (dockerfile, error) {
	switch o.Dockerfile {
	case "-":
		if o.Stdin == nil {
			return dockerfile{}, fmt.Errorf("a Dockerfile from standard input was asked for, and there is none: %w", errdefs.ErrInvalidArgument)
		}
		text, err := io.ReadAll(o.Stdin)
		return dockerfile{name: outsideName, text: nonNil(text)}, err
	case "":
		for _, name := range []string{"Dockerfile", "dockerfile"} {
			text, err := os.ReadFile(filepath.Join(o.Dir, name))
			if err == nil {
				return dockerfile{name: name, text: nonNil(text), inside: true}, nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return dockerfile{}, err
			}
		}
		return dockerfile{name: outsideName}, nil
	}
	return named(o)
}

// named finds the file of -f as docker does: from the working folder, and if
// there is none, from the folder that is built.
func named(o Options) (dockerfile, error) {
	at := o.Dockerfile
	text, err := os.ReadFile(at)
	if errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(at) {
		at = filepath.Join(o.Dir, o.Dockerfile)
		text, err = os.ReadFile(at)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return dockerfile{}, fmt.Errorf("there is no Dockerfile %s: %w", o.Dockerfile, errdefs.ErrNotFound)
	}
	if err != nil {
		return dockerfile{}, err
	}
	d := dockerfile{name: outsideName, text: nonNil(text)}
	if rel, ok := inside(o.Dir, at); ok {
		d.name, d.inside = rel, true
	}
	return d, nil
}

// inside gives a file's slash-separated path below dir.
func inside(dir, file string) (string, bool) {
	dir, err1 := filepath.Abs(dir)
	file, err2 := filepath.Abs(file)
	if err1 != nil || err2 != nil {
		return "", false
	}
	rel, err := filepath.Rel(dir, file)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// copiesProduct tells whether a COPY or ADD takes app.wasm out of the context.
// A Dockerfile that doesn't parse copies nothing: the builder will say why.
func copiesProduct(text []byte) bool {
	result, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return false
	}
	for _, n := range result.AST.Children {
		if !strings.EqualFold(n.Value, "copy") && !strings.EqualFold(n.Value, "add") {
			continue
		}
		from := false
		for _, f := range n.Flags {
			from = from || strings.HasPrefix(f, "--from=")
		}
		// The last word is where to.
		for w := n.Next; !from && w != nil && w.Next != nil; w = w.Next {
			if path.Clean("/"+w.Value) == "/"+Product {
				return true
			}
		}
	}
	return false
}
