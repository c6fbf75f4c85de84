// Package scaffold writes new programs for `wherry init`: a small HTTP service
// that works, in Go, C or Rust, with its Dockerfile. It needs no network: what
// the Go program uses of ours is laid beside it as a package of its own.
//
// It must know neither the daemon nor how programs are compiled.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/containerd/errdefs"

	"wherry/guest"
)

//go:embed templates
var templates embed.FS

// refusal is an error for people: its class doesn't show in the text.
type refusal struct {
	text  string
	class error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.class }

// Languages are the languages a program can be begun in, in order.
func Languages() []string { return []string{"c", "go", "rust"} }

// Write begins a program in dir, which must be empty or not there; the folder's
// name becomes the program's. It answers the paths of the files, relative to
// dir and in order. Errors are errdefs.ErrInvalidArgument for a language that
// isn't known and errdefs.ErrAlreadyExists where dir holds something.
func Write(language, dir string) ([]string, error) {
	if !slices.Contains(Languages(), language) {
		return nil, &refusal{fmt.Sprintf("there is no template for %q, there are: %s", language, strings.Join(Languages(), ", ")), errdefs.ErrInvalidArgument}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := checkEmpty(dir); err != nil {
		return nil, err
	}
	files, err := render(language, programName(filepath.Base(abs)))
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(at, files[name], 0o644); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		if info, serr := os.Stat(dir); serr == nil && !info.IsDir() {
			return &refusal{dir + " is a file; name a folder that is empty or not there yet", errdefs.ErrAlreadyExists}
		}
		return err
	case len(entries) > 0:
		return &refusal{fmt.Sprintf("%s is not empty (it has %s); name a folder that is empty or not there yet", dir, entries[0].Name()), errdefs.ErrAlreadyExists}
	}
	return nil
}

// programName makes a name that Go, Cargo and an image path all take.
func programName(folder string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(folder) {
		switch {
		case r >= 'a' && r <= 'z', b.Len() > 0 && (r >= '0' && r <= '9' || r == '-' || r == '_'):
			b.WriteRune(r)
		}
	}
	if name := b.String(); name != "" && !reserved(name) {
		return name
	}
	return "app"
}

// reserved tells whether a word means something to Go or Rust and so can't name
// a program.
func reserved(name string) bool {
	return token.IsKeyword(name) || slices.Contains(strings.Fields(`main internal cmd vendor wasinet
		abstract as async await become box core crate deps do dyn enum extern false final fn impl in let loop
		macro match mod move mut override priv proc_macro pub ref self static std super test trait true try
		typeof unsafe unsized use virtual where while yield alloc build examples incremental`), name)
}

// render gives the files of a program by slash-separated path.
func render(language, name string) (map[string][]byte, error) {
	files := map[string][]byte{}
	root := path.Join("templates", language)
	err := fs.WalkDir(templates, root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		t, err := template.ParseFS(templates, p)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := t.Execute(&b, struct{ Name string }{name}); err != nil {
			return err
		}
		// An embedded file can be named neither go.mod nor begin with a dot.
		to := strings.TrimSuffix(strings.TrimPrefix(p, root+"/"), ".tmpl")
		files[strings.Replace(to, "dockerignore", ".dockerignore", 1)] = b.Bytes()
		return nil
	})
	if err != nil || language != "go" {
		return files, err
	}
	return files, fs.WalkDir(guest.Wasinet, "wasinet", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(p, "_test.go") {
			return err
		}
		files["internal/"+p], err = guest.Wasinet.ReadFile(p)
		return err
	})
}
