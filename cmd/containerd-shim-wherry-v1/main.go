//go:build linux

// Command containerd-shim-wherry-v1 is Wherry's shim. The same program, run
// again, is the container process and the compiler of modules.
package main

import (
	"os"

	"wherry/internal/guest/code"
	"wherry/internal/sandbox"
	"wherry/internal/shim"
)

func main() { os.Exit(run(os.Args)) }

func run(args []string) int {
	if len(args) > 1 {
		switch args[1] {
		case "guest":
			return sandbox.Main()
		case "compile":
			return code.Main(args[2:], os.Stdout, os.Stderr, sandbox.SealCompiler)
		case "walls":
			return shim.WallsMain(args[2:], os.Stdout, os.Stderr)
		}
	}
	return shim.Main(args[1:], os.Stdout, os.Stderr)
}
