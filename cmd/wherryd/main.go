// Command wherryd is the embedded engine, as `wherry daemon` starts it. It is a
// program of its own so that the command stays small and quick to start.
package main

import (
	"os"

	"wherry/internal/server"
)

func main() {
	os.Exit(server.Main(os.Args[1:]))
}
