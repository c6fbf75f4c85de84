// Command wherry runs WebAssembly programs as containers. `wherry daemon` is
// the embedded engine; every other verb talks to it.
package main

import (
	"os"

	"wherry/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:]))
}
