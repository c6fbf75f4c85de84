//go:build cgo && linux && (amd64 || arm64)

// Command barehost is the least that a Go program needs to run a Wasm program
// on wasmtime: no container, no image, no sandbox, wasmtime's own WASI. It is
// what `wherry run` is measured against.
//
//	barehost compile MODULE CODE   compiles a module once
//	barehost run CODE              runs the compiled code
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "barehost:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	engine := wasmtime.NewEngine()
	switch {
	case len(args) == 3 && args[0] == "compile":
		return compile(engine, args[1], args[2])
	case len(args) == 2 && args[0] == "run":
		return start(engine, args[1])
	}
	return errors.New("usage: barehost compile MODULE CODE | barehost run CODE")
}

func compile(engine *wasmtime.Engine, from, to string) error {
	module, err := wasmtime.NewModuleFromFile(engine, from)
	if err != nil {
		return err
	}
	code, err := module.Serialize()
	if err != nil {
		return err
	}
	return os.WriteFile(to, code, 0o600)
}

func start(engine *wasmtime.Engine, code string) error {
	module, err := wasmtime.NewModuleDeserializeFile(engine, code)
	if err != nil {
		return err
	}
	store, linker := wasmtime.NewStore(engine), wasmtime.NewLinker(engine)
	if err := linker.DefineWasi(); err != nil {
		return err
	}
	wasi := wasmtime.NewWasiConfig()
	wasi.InheritStdout()
	wasi.InheritStderr()
	store.SetWasi(wasi)
	instance, err := linker.Instantiate(store, module)
	if err != nil {
		return err
	}
	_, err = instance.GetFunc(store, "_start").Call(store)
	var exit *wasmtime.Error
	if errors.As(err, &exit) {
		if status, ok := exit.ExitStatus(); ok {
			os.Exit(int(status))
		}
	}
	return err
}
