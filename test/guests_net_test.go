package test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wherry/internal/testutil/wherry"
)

// A guest's loopback is its own, and so is the rest of its host's addresses.
func testLoopback(t *testing.T, g *guests) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "the host's\n")
			c.Close()
		}
	}()
	host := l.Addr().String()
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		t.Fatal(err)
	}
	addresses := []string{host, "localhost:" + port, "0.0.0.0:" + port, "[::ffff:127.0.0.1]:" + port, "127.9.9.9:" + port}
	if own := ownAddress(t); own != "" {
		addresses = append(addresses, net.JoinHostPort(own, port))
	}
	on(t, func(t *testing.T, options ...string) {
		for _, a := range addresses {
			if out, stderr, code := g.probe(options, "probe", "dial", a); code != 1 || !strings.Contains(stderr, "refused") {
				t.Errorf("dial %s: %d %q %q", a, code, out, stderr)
			}
		}
		// What the guest itself serves there it reaches; two guests may both.
		if out, stderr, code := g.probe(options, "probe", "serve", host, "dial", host); code != 0 || out != "serving\nserved "+host+"\n" {
			t.Errorf("own loopback: %d %q %q", code, out, stderr)
		}
		// A published listener is reached from inside and from outside.
		id := g.detach(t, append(options, "-p", "127.0.0.1::8080"), "probe", "serve", ":8080", "dial", "127.0.0.1:8080", "dial", "localhost:8080", "sleep")
		follow(t, g, id, "sleeping")
		if logs := g.Must("logs", id); logs != "serving\nserved :8080\nserved :8080\nsleeping" {
			t.Errorf("from inside: %q", logs)
		}
		if got := dial(t, "tcp", g.Must("port", id, "8080/tcp"), ""); got != "served :8080\n" {
			t.Errorf("from outside: %q", got)
		}
		// What is not published is not reached.
		id = g.detach(t, append(options, "-p", "127.0.0.1::8080"), "probe", "serve", ":"+port, "sleep")
		follow(t, g, id, "sleeping")
		if got := dial(t, "tcp", host, ""); got != "the host's\n" {
			t.Errorf("a guest took the host's port: %q", got)
		}
	})
}

// ownAddress is an address of this machine that is no loopback, or empty.
func ownAddress(t *testing.T) string {
	t.Helper()
	list, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	return ""
}

// dial sends a text and returns all that comes back: one datagram of udp.
func dial(t *testing.T, network, addr, text string) string {
	t.Helper()
	c, err := net.DialTimeout(network, addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	if network == "udp" {
		b := make([]byte, 2048)
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	if text != "" {
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// --network none has no sockets, and host has the host's.
func testNetworkModes(t *testing.T, g *guests) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	on(t, func(t *testing.T, options ...string) {
		for _, verb := range []string{"serve", "dial"} {
			if _, stderr, code := g.probe(append(options, "--network", "none"), "probe", verb, "127.0.0.1:8080"); code != 1 || !strings.Contains(stderr, "Permission denied") {
				t.Errorf("none, %s: %d %q", verb, code, stderr)
			}
		}
		answered := make(chan error, 1)
		go func() {
			c, err := l.Accept()
			if err == nil {
				_, err = io.WriteString(c, "the host's\n")
				c.Close()
			}
			answered <- err
		}()
		if out, stderr, code := g.probe(append(options, "--network", "host"), "probe", "dial", l.Addr().String()); code != 0 || out != "the host's\n" {
			t.Errorf("host: %d %q %q", code, out, stderr)
			l.Close()
		}
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}

// Guests of WasmEdge are served in each form of its sockets, also in several
// at once, over TCP and UDP.
func testSocketForms(t *testing.T, g *guests) {
	source, err := filepath.Abs("testdata/sockets/sockets.c")
	if err != nil {
		t.Fatal(err)
	}
	forms := []string{"", "V1", "V2", "V2 by name", "mixed"}
	for abi := 1; abi < len(forms); abi++ {
		t.Run(forms[abi], func(t *testing.T) {
			module := compileC(t, fmt.Sprintf("-DABI=%d", abi), source)
			on(t, func(t *testing.T, options ...string) {
				local := "family 1, 0.0.0.0:"
				if abi == 1 || abi == 4 {
					local = "type 4, 0.0.0.0:"
				}
				id := g.detach(t, append(options, "-p", "127.0.0.1::7/tcp"), module, "tcp", "7")
				if got := dial(t, "tcp", g.Must("port", id, "7/tcp"), "over TCP"); got != "over TCP" {
					t.Errorf("TCP: %q", got)
				}
				if code, logs := g.Must("wait", id), g.Must("logs", id); code != "0" || logs != local+"7" {
					t.Errorf("TCP: exit code %s, logs %q", code, logs)
				}
				if abi == 1 {
					return // V1 does not tell where a datagram came from
				}
				id = g.detach(t, append(options, "-p", "127.0.0.1:0:5353/udp"), module, "udp", "5353")
				follow(t, g, id, local+"5353")
				if got := dial(t, "udp", g.Must("port", id, "5353/udp"), "over UDP"); got != "over UDP" {
					t.Errorf("UDP: %q", got)
				}
				if code, logs := g.Must("wait", id), g.Must("logs", id); code != "0" || !strings.HasSuffix(logs, "\n8 bytes from 127.0.0.1") {
					t.Errorf("UDP: exit code %s, logs %q", code, logs)
				}
			})
		})
	}
}

// Stock Go and stock Rust serve on listeners that are open before they start.
func testPreopened(t *testing.T, g *guests) {
	for name, dir := range map[string]string{"go": filepath.Join(wherry.Root(t), "examples", "preopened"), "rust": "testdata/preopened-rust"} {
		dir, err := filepath.Abs(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			buildOrSkip(t, g, "preopened-"+name, dir)
			on(t, func(t *testing.T, options ...string) {
				id := g.detach(t, append(options, "-p", "127.0.0.1::8080", "--annotation", "wherry.listen=preopen"), "preopened-"+name)
				client := http.Client{Timeout: 30 * time.Second}
				res, err := client.Get("http://" + g.Must("port", id, "8080/tcp"))
				if err != nil {
					t.Fatalf("%v\n%s", err, g.Must("logs", id))
				}
				defer res.Body.Close()
				if b, err := io.ReadAll(res.Body); err != nil || string(b) != "Hello from wasi/wasm\n" {
					t.Errorf("%q, %v", b, err)
				}
			})
		})
	}
}

// A published port on a guest that cannot listen is warned of: where the guest
// was started, and in its logs.
func testNoSockets(t *testing.T, g *guests) {
	file := filepath.Join(t.TempDir(), "deaf.wasm")
	// (module (func (export "_start")) (memory (export "memory") 1))
	write(t, file, "\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x05\x03\x01\x00\x01"+
		"\x07\x13\x02\x06memory\x02\x00\x06_start\x00\x00\x0a\x04\x01\x02\x00\x0b")
	on(t, func(t *testing.T, options ...string) {
		run := append(append([]string{"run", "-d", "-p", "127.0.0.1::8080"}, options...), file)
		id, stderr, code := g.Run(run...)
		id = strings.TrimSpace(id)
		defer g.Must("rm", "-f", id)
		const want = "the module imports no socket function: nothing will answer there"
		if code != 0 || !strings.Contains(stderr, want) {
			t.Errorf("at the start: %d %q", code, stderr)
		}
		g.Must("wait", id)
		if _, logs, _ := g.Run("logs", id); !strings.HasPrefix(logs, "wherry: warning: port ") || !strings.Contains(logs, want) {
			t.Errorf("logs %q", logs)
		}
		if _, stderr, code := g.probe(append(options, "-p", "127.0.0.1::8080"), file); code != 0 || strings.Count(stderr, want) != 1 {
			t.Errorf("attached: %d %q, want one warning", code, stderr)
		}
	})
}
