//go:build stress

package test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"wherry/internal/testutil/wherry"
)

// The example servers hold on both engines: many requests, many connections,
// many bytes, and every byte the right one. WHERRY_REQUESTS sets how many
// requests each case sends; 100,000 unless set.
func TestServersUnderLoad(t *testing.T) {
	requests := 100_000
	if s := os.Getenv("WHERRY_REQUESTS"); s != "" {
		var err error
		if requests, err = strconv.Atoi(s); err != nil {
			t.Fatalf("WHERRY_REQUESTS: %v", err)
		}
	}
	e := wherry.Start(t)
	for _, guest := range []string{"hello-c", "hello-rust", "hello-go", "preopened"} {
		e.Must("build", "-t", guest, filepath.Join(wherry.Root(t), "examples", guest))
		for _, engine := range []string{"wasmtime", "wazero"} {
			t.Run(guest+"/"+engine, func(t *testing.T) {
				args := []string{"run", "-d", "-p", "127.0.0.1::8080", "--runtime", "io.containerd." + engine + ".v1"}
				if guest == "preopened" {
					args = append(args, "--annotation", "wherry.listen=preopen")
				}
				id := e.Must(append(args, guest)...)
				defer e.Must("rm", "-f", id)
				addr := strings.TrimSpace(e.Must("port", id, "8080/tcp"))
				t.Run("kept", func(t *testing.T) { get(t, addr, requests, 64, true) })
				t.Run("fresh", func(t *testing.T) { get(t, addr, requests, 64, false) })
				t.Run("idle", func(t *testing.T) { hold(t, addr, 500) })
				t.Run("bytes", func(t *testing.T) { transfer(t, addr, 100_000_000) })
				if t.Failed() {
					logs, errs, _ := e.Run("logs", id)
					t.Logf("the guest's log:\n%s%s", logs, errs)
				}
			})
		}
	}
}
