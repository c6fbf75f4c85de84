//go:build stress

package test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wherry/examples/stream"
)

// get sends n GET requests over conns connections, each connection kept or
// made anew for every request, and fails the test at the first reply that is
// not the greeting.
func get(t *testing.T, addr string, n, conns int, keep bool) {
	t.Helper()
	transport := &http.Transport{MaxConnsPerHost: conns, MaxIdleConnsPerHost: conns, DisableKeepAlives: !keep}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}

	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	errs := make(chan error, conns)
	begin := time.Now()
	for range conns {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := getOne(client, addr); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	failed := 0
	for err := range errs {
		if failed++; failed <= 3 {
			t.Error(err)
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d connections failed", failed, conns)
	}
	t.Logf("%d requests over %d connections, kept %v: %.0f a second", n, conns, keep, float64(n)/time.Since(begin).Seconds())
}

// hold opens n connections that say nothing, shows that the server still
// answers others, and then that each of them still works.
func hold(t *testing.T, addr string, n int) {
	t.Helper()
	idle := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range idle {
			c.Close()
		}
	}()
	for range n {
		c, err := net.DialTimeout("tcp", addr, 10*time.Second)
		if err != nil {
			t.Fatalf("connection %d of %d: %v", len(idle)+1, n, err)
		}
		idle = append(idle, c)
	}
	get(t, addr, 100, 4, true)
	for i, c := range idle {
		if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: wherry\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatalf("idle connection %d: %v", i, err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("idle connection %d: %v", i, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != greeting {
			t.Fatalf("idle connection %d: %q, %v", i, body, err)
		}
	}
}

// transfer moves n bytes each way and compares the SHA-256 of both ends.
func transfer(t *testing.T, addr string, n int64) {
	t.Helper()
	want := sha256.New()
	if _, err := io.Copy(want, stream.New(uint64(n))); err != nil {
		t.Fatal(err)
	}
	digest := hex.EncodeToString(want.Sum(nil))
	client := &http.Client{Timeout: 5 * time.Minute}

	begin := time.Now()
	resp, err := client.Get(fmt.Sprintf("http://%s/bytes/%d", addr, n))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := sha256.New()
	if m, err := io.Copy(got, resp.Body); err != nil || m != n {
		t.Fatalf("GET /bytes/%d: %d bytes, %v", n, m, err)
	}
	if d := hex.EncodeToString(got.Sum(nil)); d != digest {
		t.Errorf("GET /bytes/%d: sha256 %s, want %s", n, d, digest)
	}
	t.Logf("out: %.0f MB/s", float64(n)/1e6/time.Since(begin).Seconds())

	begin = time.Now()
	req, err := http.NewRequest(http.MethodPost, "http://"+addr+"/sha256", stream.New(uint64(n)))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = n
	resp, err = client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if d := strings.TrimSpace(string(body)); d != digest {
		t.Errorf("POST /sha256: %q, want %s", d, digest)
	}
	t.Logf("in: %.0f MB/s", float64(n)/1e6/time.Since(begin).Seconds())
}
