package wasinet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// These tests run natively, where they test the fallback, and as a guest in a
// container (package examples runs them there).

func serve(t *testing.T, handler http.Handler) net.Addr {
	t.Helper()
	l, err := Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return l.Addr()
}

func client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: DialContext}, Timeout: 30 * time.Second}
}

func TestServerAndClient(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 1<<16)
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ap, err := netip.ParseAddrPort(r.RemoteAddr); err != nil || !ap.Addr().IsLoopback() || ap.Port() == 0 {
			t.Errorf("the client's address is %q", r.RemoteAddr)
		}
		if _, err := io.Copy(w, r.Body); err != nil {
			t.Error(err)
		}
	}))
	if ap, err := netip.ParseAddrPort(addr.String()); err != nil || ap.Port() == 0 {
		t.Fatalf("the listener's address is %v", addr)
	}
	c := client()
	for range 3 {
		res, err := c.Post("http://"+addr.String(), "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if err != nil || string(got) != body {
			t.Errorf("%d bytes came back, %v", len(got), err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	arrived, release := make(chan struct{}, 20), make(chan struct{})
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	errs := make(chan error, cap(arrived))
	for range cap(arrived) {
		go func() {
			res, err := client().Get("http://" + addr.String())
			if err == nil {
				err = res.Body.Close()
			}
			errs <- err
		}()
	}
	for range cap(arrived) {
		<-arrived
	}
	close(release)
	for range cap(arrived) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestAddresses(t *testing.T) {
	l, err := Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if c.RemoteAddr().String() != l.Addr().String() || c.LocalAddr().String() != s.RemoteAddr().String() {
		t.Errorf("client %v -> %v, server %v <- %v", c.LocalAddr(), c.RemoteAddr(), s.LocalAddr(), s.RemoteAddr())
	}
	// net/http half-closes connections through this method.
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
	if n, err := s.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after the half-close: %d, %v", n, err)
	}
}

func TestDeadline(t *testing.T) {
	l, err := Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestDialErrors(t *testing.T) {
	l, err := Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial("tcp", free); err == nil || !strings.Contains(strings.ToLower(err.Error()), "refused") {
		t.Errorf("nobody listens, and dialing said %v", err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := DialContext(ended, "tcp", free); err == nil {
		t.Error("dialing under an ended context succeeded")
	}
	for _, address := range []string{"no port", "127.0.0.1:99999", "no.such.name.invalid:80"} {
		if c, err := (&Dialer{Timeout: 10 * time.Second}).Dial("tcp", address); err == nil {
			t.Errorf("dialed %s: %v", address, c.RemoteAddr())
		}
	}
	var unknown net.UnknownNetworkError
	if _, err := Dial("carrier-pigeon", free); !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
	if _, err := Listen("tcp", "127.0.0.1:99999"); err == nil {
		t.Error("listened on port 99999")
	}
}

func TestLookup(t *testing.T) {
	ips, err := LookupNetIP(context.Background(), "ip4", "localhost")
	if err != nil || !slices.Contains(ips, netip.MustParseAddr("127.0.0.1")) {
		t.Errorf("localhost: %v, %v", ips, err)
	}
	for _, ip := range ips {
		if !ip.IsLoopback() {
			t.Errorf("localhost: %v", ips)
		}
	}
	if ips, err = LookupNetIP(context.Background(), "ip", "localhost"); err != nil || slices.ContainsFunc(ips, func(ip netip.Addr) bool { return !ip.IsLoopback() }) {
		t.Errorf("localhost in both families: %v, %v", ips, err)
	}
	ips, err = LookupNetIP(context.Background(), "ip", "192.0.2.7")
	if err != nil || len(ips) != 1 {
		t.Errorf("a literal address: %v, %v", ips, err)
	}
	var dns *net.DNSError
	if ips, err = LookupNetIP(context.Background(), "ip", "no.such.name.invalid"); !errors.As(err, &dns) {
		t.Errorf("a name that doesn't exist: %v, %v", ips, err)
	}
}
