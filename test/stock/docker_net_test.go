//go:build linux && daemons

package stock

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

var networkTests = []subtest{
	{"network none", testNetworkNone},
	{"network host", testNetworkHost},
	{"network of a container", testNetworkContainer},
	{"network with names", testNetworkNames},
}

func testNetworkNone(t *testing.T, e *engine) {
	// As in a Linux container there is a loopback, and nothing else.
	out := e.guest(t, opts("--network", "none"), "serve", ":80", "dial", "127.0.0.1:80", "try", "dial", "172.17.0.1:80")
	if !strings.Contains(out, "served :80") || !strings.Contains(out, "Network is unreachable") {
		t.Errorf("without a network: %s", out)
	}
}

func testNetworkHost(t *testing.T, e *engine) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			fmt.Fprint(c, "from the host")
			c.Close()
		}
	}()
	if out := e.guest(t, opts("--network", "host"), "dial", l.Addr().String()); out != "from the host" {
		t.Errorf("a guest got %q", out)
	}
}

func testNetworkContainer(t *testing.T, e *engine) {
	server := e.detach(t, nil, "serve", ":9000", "sleep")
	e.awaitLog(t, server, "serving")
	if out := e.guest(t, opts("--network", "container:"+server), "dial", "127.0.0.1:9000"); out != "served :9000" {
		t.Errorf("a guest in another's network got %q", out)
	}
}

func testNetworkNames(t *testing.T, e *engine) {
	e.Run(t, "network", "create", "apart")
	defer e.Run(t, "network", "rm", "apart")
	wasm := e.Run(t, runArgs(opts("-d", "--network", "apart", "--name", "wasm-server"), "serve", ":9000", "sleep")...)
	defer e.Run(t, "rm", "-f", wasm)
	linux := e.Run(t, "run", "-d", "--network", "apart", "--name", "linux-server", nativeName, "serve", ":9001", "sleep")
	defer e.Run(t, "rm", "-f", linux)
	e.awaitLog(t, wasm, "serving")
	e.awaitLog(t, linux, "serving")
	if out := e.guest(t, opts("--network", "apart"), "dial", "wasm-server:9000", "dial", "linux-server:9001"); out != "served :9000\nserved :9001" {
		t.Errorf("a guest got %q", out)
	}
	if out := e.Run(t, "run", "--rm", "--network", "apart", nativeName, "dial", "wasm-server:9000"); out != "served :9000" {
		t.Errorf("a Linux container got %q", out)
	}
}
