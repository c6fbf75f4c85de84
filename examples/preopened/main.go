// Command preopened is an HTTP server of stock Go alone: it serves on the
// listener that the host opened for it, and so needs no sockets extension:
//
//	wherry run -dp 8080:8080 --annotation wherry.listen=preopen preopened
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"

	"wherry/examples/site"
)

// firstListener is the descriptor of the first listener: 0 to 2 are the
// standard streams and 3 is the root folder.
const firstListener = 4

func main() {
	if n, err := strconv.Atoi(os.Getenv("LISTEN_FDS")); err != nil || n < 1 {
		log.Fatalf("LISTEN_FDS is %q, want the number of listeners: run me with --annotation wherry.listen=preopen and a published port", os.Getenv("LISTEN_FDS"))
	}
	f := os.NewFile(firstListener, "listener")
	l, err := net.FileListener(f)
	if err != nil {
		log.Fatalf("descriptor %d is no listener: %v", firstListener, err)
	}
	f.Close()
	fmt.Println("preopened serves")
	log.Fatal(http.Serve(l, site.Handler()))
}
