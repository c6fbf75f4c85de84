package test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"wherry/internal/testutil/netns"
	"wherry/internal/testutil/wherry"
)

const outsideMark = "WHERRY_TEST_OUTSIDE"

// A guest reaches another machine by name, over TLS with stock Go's
// verification. The test runs once more in a network of its own, with another
// machine beside it.
func TestOutside(t *testing.T) {
	if os.Getenv(outsideMark) == "" {
		wherry.Programs(t)
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := netns.Command(t, self, "-test.run=^TestOutside$", "-test.v")
		cmd.Env = append(cmd.Env, outsideMark+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestOutside") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	far := netns.NewFar(t)
	certificate := serveFar(t, far)
	g := &guests{wherry.Start(t), t}
	g.image("probe", compileProbe(t))
	const bundle = "/etc/ssl/certs/ca-certificates.crt"
	on(t, func(t *testing.T, options ...string) {
		trusting := append(options, "-v", certificate+":"+bundle+":ro")
		for name, options := range map[string][]string{
			"--dns":      append(trusting, "--dns", far.Addr.String()),
			"--add-host": append(trusting, "--add-host", "example.com:"+far.Addr.String()),
			"host":       append(trusting, "--network", "host", "--add-host", "example.com:"+far.Addr.String()),
		} {
			if out, stderr, code := g.probe(options, "probe", "get", "https://example.com/"); code != 0 || out != "Hello from far away\n" {
				t.Errorf("%s: %d %q %q", name, code, out, stderr)
			}
		}
		if out, stderr, code := g.probe(append(options, "--dns", far.Addr.String()), "probe", "resolve", "example.com"); code != 0 || out != "["+far.Addr.String()+"]\n" {
			t.Errorf("resolve: %d %q %q", code, out, stderr)
		}
		for _, c := range []struct {
			what, url, want string
			options         []string
		}{
			{"an unknown authority", "https://example.com/", "x509: certificate signed by unknown authority", append(options, "--dns", far.Addr.String())},
			{"another name", "https://example.org/", "x509: certificate is valid for", append(trusting, "--add-host", "example.org:"+far.Addr.String())},
			{"no such name", "https://nowhere.example/", "no such host", append(trusting, "--dns", far.Addr.String())},
		} {
			if out, stderr, code := g.probe(c.options, "probe", "get", c.url); code != 1 || !strings.Contains(stderr, c.want) {
				t.Errorf("%s: %d %q %q, want %q", c.what, code, out, stderr, c.want)
			}
		}
	})
}

// serveFar starts a name server and an HTTPS server on the other machine, and
// returns the file of the server's certificate.
func serveFar(t *testing.T, far *netns.Far) string {
	t.Helper()
	var https net.Listener
	var names net.PacketConn
	var err error
	far.Do(func() {
		var herr, nerr error
		https, herr = net.Listen("tcp4", far.Addr.String()+":443")
		names, nerr = net.ListenPacket("udp4", far.Addr.String()+":53")
		err = errors.Join(herr, nerr)
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "Hello from far away")
	}))
	server.Listener.Close()
	server.Listener = https
	server.StartTLS()
	t.Cleanup(server.Close)
	t.Cleanup(func() { names.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := names.ReadFrom(b)
			if err != nil {
				return // closed
			}
			if reply, err := answer(b[:n], far.Addr.As4()); err == nil {
				names.WriteTo(reply, from)
			}
		}
	}()
	file := filepath.Join(t.TempDir(), "ca.pem")
	write(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	return file
}

// answer is a name server's that knows example.com's IPv4 address.
func answer(query []byte, addr [4]byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil || len(m.Questions) != 1 {
		return nil, errors.Join(err, errors.New("want one question"))
	}
	m.Response = true
	switch q := m.Questions[0]; {
	case q.Name.String() != "example.com.":
		m.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60},
			Body:   &dnsmessage.AResource{A: addr},
		}}
	}
	m.Additionals = nil
	return m.Pack()
}
