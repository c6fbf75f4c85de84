//go:build linux

package code

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"wherry/internal/engine"
	"wherry/internal/engine/engines"
)

// Descriptors and exit codes of the compile child.
const (
	// ModuleFD is the module in, CodeFD the compiled code out.
	ModuleFD = 3
	CodeFD   = 4
	// ExitInvalid means that the module is at fault, ExitFailed that something
	// else is. In both cases standard error has one line.
	ExitInvalid = 3
	ExitFailed  = 4
)

// Main is the main function of the compile child. Its arguments are an engine's
// name, for which it compiles the module on one inherited descriptor to
// another; "-text", for which it turns the text format into the binary format
// in the same way; or "-fingerprint" and an engine's name, whose fingerprint it
// prints.
//
// Before a byte of the module is read the process is bounded, and seal takes
// from it all that a compiler does not need.
func Main(args []string, stdout, stderr io.Writer, seal func() error) int {
	err := bound(moduleSize(), stderr)
	if err == nil {
		err = seal()
	}
	switch {
	case err != nil:
		err = fmt.Errorf("close the compiler in: %w", err)
	case len(args) == 1 && args[0] == "-text":
		err = parseText()
	case len(args) == 1:
		err = compile(args[0])
	case len(args) == 2 && args[0] == "-fingerprint":
		err = printFingerprint(args[1], stdout)
	default:
		err = errors.New("wanted: compile ENGINE; the shim starts this")
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, engine.ErrInvalidModule), errdefs.IsNotImplemented(err):
		fmt.Fprintln(stderr, err)
		return ExitInvalid
	}
	fmt.Fprintln(stderr, err)
	return ExitFailed
}

// moduleSize is the size of the module to compile, 0 where there is none.
func moduleSize() int64 {
	var st unix.Stat_t
	if unix.Fstat(ModuleFD, &st) != nil {
		return 0 // only asked for a fingerprint
	}
	return st.Size
}

// parseText reads the text format and writes the binary format.
func parseText() error {
	wasm, err := Read(os.NewFile(ModuleFD, "module"))
	if err != nil {
		return err
	}
	if _, err := os.NewFile(CodeFD, "module").Write(wasm); err != nil {
		return fmt.Errorf("write the module: %w", err)
	}
	return nil
}

func compile(name string) error {
	wasm, err := Read(os.NewFile(ModuleFD, "module"))
	if err != nil {
		return err
	}
	e, err := engines.Open(name)
	if err != nil {
		return err
	}
	defer e.Close()
	m, err := e.Compile(context.Background(), wasm)
	if err != nil {
		return err
	}
	defer m.Close()
	out := bufio.NewWriterSize(os.NewFile(CodeFD, "code"), 1<<20)
	if err := m.Serialize(out); err != nil {
		return fmt.Errorf("write compiled code: %w", err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write compiled code: %w", err)
	}
	return nil
}

func printFingerprint(name string, w io.Writer) error {
	e, err := engines.Open(name)
	if err != nil {
		return err
	}
	defer e.Close()
	_, err = fmt.Fprintln(w, e.Fingerprint())
	return err
}

var magic = []byte("\x00asm")

// Read reads a module in the binary format, from its start. A module in the
// text format is turned into it.
func Read(f *os.File) ([]byte, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the module: %w", err)
	}
	if st.Size() > MaxModule {
		return nil, fmt.Errorf("%w: it has %d bytes; at most %d are taken", engine.ErrInvalidModule, st.Size(), int64(MaxModule))
	}
	wasm := make([]byte, st.Size())
	if _, err := f.ReadAt(wasm, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the module: %w", err)
	}
	if bytes.HasPrefix(wasm, magic) {
		return wasm, nil
	}
	return engines.ParseText(wasm)
}
