// Package site is what the Go examples serve over HTTP, whatever their listener
// is. It must know nothing of listeners.
package site

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"wherry/examples/stream"
)

// Handler serves what examples/README.md says.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "Hello from wasi/wasm")
	})
	mux.HandleFunc("GET /bytes/{n}", sendBytes)
	mux.HandleFunc("POST /sha256", func(w http.ResponseWriter, r *http.Request) {
		hash := sha256.New()
		if _, err := io.Copy(hash, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%x", hash.Sum(nil))
	})
	mux.HandleFunc("POST /echo", echo)
	return mux
}

func sendBytes(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseUint(r.PathValue("n"), 10, 60)
	if err != nil {
		http.Error(w, "the path is /bytes/N with a number N", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatUint(n, 10))
	io.Copy(w, stream.New(n))
}

// echo answers while it reads, so that no body is too large for memory.
func echo(w http.ResponseWriter, r *http.Request) {
	http.NewResponseController(w).EnableFullDuplex()
	w.Header().Set("Content-Type", "application/octet-stream")
	if r.ContentLength >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	io.Copy(w, r.Body)
}
