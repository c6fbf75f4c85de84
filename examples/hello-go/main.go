// Command hello-go is an HTTP server that runs in a container: net/http on the
// sockets of package wasinet. examples/README.md says what it serves.
package main

import (
	"cmp"
	"fmt"
	"log"
	"net/http"
	"os"

	"wherry/examples/site"
	"wherry/guest/wasinet"
)

func main() {
	addr := ":" + cmp.Or(os.Getenv("PORT"), "8080")
	l, err := wasinet.Listen("tcp", addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("hello-go listens on", l.Addr())
	log.Fatal(http.Serve(l, site.Handler()))
}
