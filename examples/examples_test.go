//go:build linux

package examples

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wherry/examples/stream"
	"wherry/internal/testutil/wherry"
)

// engines are the runtimes that every example runs on.
var engines = []string{"io.containerd.wasmtime.v1", "io.containerd.wazero.v1"}

func TestServers(t *testing.T) {
	here := wherry.Start(t)
	for _, name := range []string{"hello-go", "hello-c", "hello-rust"} {
		build(t, here, name)
		for _, engine := range engines {
			t.Run(name+"/"+engine, func(t *testing.T) {
				addr := start(t, here, name, "--runtime", engine)
				checkHello(t, addr)
				checkStream(t, addr)
				checkBodies(t, addr)
				checkRefusals(t, addr, name)
				checkPipelining(t, addr)
			})
		}
	}
}

func TestPreopened(t *testing.T) {
	here := wherry.Start(t)
	build(t, here, "preopened")
	checkHello(t, start(t, here, "preopened", "--annotation", "wherry.listen=preopen"))
}

// The guest package's own tests, as a guest.
func TestWasinet(t *testing.T) {
	here := wherry.Start(t)
	module := filepath.Join(t.TempDir(), "wasinet.test.wasm")
	cmd := exec.Command("go", "test", "-c", "-o", module, "wherry/guest/wasinet")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if _, errs, code := wherry.Output(t, cmd); code != 0 {
		t.Fatal(errs)
	}
	for _, engine := range engines {
		out, errs, code := here.Run("run", "--rm", "--runtime", engine, module, "-test.v", "-test.timeout=2m")
		if code != 0 || !strings.HasSuffix(strings.TrimSpace(out), "PASS") || strings.Count(out, "--- PASS") < 6 {
			t.Errorf("%s: exit code %d\n%s%s", engine, code, out, errs)
		}
	}
}

// build builds an example, and skips where the toolchain isn't there.
func build(t *testing.T, here *wherry.Engine, name string) {
	t.Helper()
	dir, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	_, errs, code := here.Run("build", "-t", name, dir)
	if code != 0 && strings.Contains(errs, "apt-get install") && os.Getenv("CI") != "true" {
		t.Skip(errs)
	}
	if code != 0 {
		t.Fatalf("building %s: %s", name, errs)
	}
}

// start runs an example until the test ends, and answers its address once it
// serves.
func start(t *testing.T, here *wherry.Engine, name string, options ...string) string {
	t.Helper()
	args := append([]string{"run", "-d", "-p", "127.0.0.1::8080"}, options...)
	id := here.Must(append(args, name)...)
	t.Cleanup(func() { here.Must("rm", "-f", id) })
	addr := here.Must("port", id, "8080")
	// The port accepts before the guest does: the first answer says it is up.
	client := http.Client{Timeout: 30 * time.Second}
	res, err := client.Get("http://" + addr)
	if err != nil {
		t.Fatalf("%v\n%s", err, here.Must("logs", id))
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return addr
}

func do(t *testing.T, method, url string, body io.Reader, length int64) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = length
	client := http.Client{Timeout: 2 * time.Minute}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, got
}

func checkHello(t *testing.T, addr string) {
	t.Helper()
	if code, got := do(t, "GET", "http://"+addr+"/", nil, 0); code != 200 || string(got) != "Hello from wasi/wasm\n" {
		t.Errorf("GET /: %d %q", code, got)
	}
}

func checkStream(t *testing.T, addr string) {
	t.Helper()
	for _, n := range []uint64{0, 1, 7, 8, 16384, 3_000_001} {
		want, err := io.ReadAll(stream.New(n))
		if err != nil {
			t.Fatal(err)
		}
		code, got := do(t, "GET", fmt.Sprintf("http://%s/bytes/%d", addr, n), nil, 0)
		if code != 200 || !bytes.Equal(got, want) {
			t.Errorf("/bytes/%d: %d, %d bytes, equal: %v", n, code, len(got), bytes.Equal(got, want))
		}
	}
}

func checkBodies(t *testing.T, addr string) {
	t.Helper()
	for _, n := range []uint64{0, 1, 55, 56, 64, 119, 120, 2_000_003} {
		body, err := io.ReadAll(stream.New(n))
		if err != nil {
			t.Fatal(err)
		}
		if code, got := do(t, "POST", "http://"+addr+"/sha256", bytes.NewReader(body), int64(n)); code != 200 || string(got) != fmt.Sprintf("%x", sha256.Sum256(body)) {
			t.Errorf("/sha256 of %d bytes: %d %q", n, code, got)
		}
		if code, got := do(t, "POST", "http://"+addr+"/echo", bytes.NewReader(body), int64(n)); code != 200 || !bytes.Equal(got, body) {
			t.Errorf("/echo of %d bytes: %d, %d bytes", n, code, len(got))
		}
	}
}

func checkRefusals(t *testing.T, addr, name string) {
	t.Helper()
	if code, _ := do(t, "GET", "http://"+addr+"/nothing", nil, 0); code != 404 {
		t.Errorf("GET /nothing: %d", code)
	}
	if name == "hello-go" {
		return // net/http takes more than the others
	}
	for request, want := range map[string]string{
		"nonsense\r\n\r\n": "HTTP/1.1 400",
		"POST /sha256 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n": "HTTP/1.1 411",
		"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 16384):          "HTTP/1.1 431",
		"POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n":           "HTTP/1.1 400",
	} {
		c, err := net.DialTimeout("tcp", addr, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, werr := io.WriteString(c, request)
		line, rerr := bufio.NewReader(c).ReadString('\n')
		if !strings.HasPrefix(line, want) {
			t.Errorf("%.40q: %q (%v, %v), want %s", request, line, werr, rerr, want)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// checkPipelining sends requests faster than they are answered, more than the
// servers serve in one turn.
func checkPipelining(t *testing.T, addr string) {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	const n = 300
	if _, err := io.WriteString(c, strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", n)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	for i := range n {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		if b, err := io.ReadAll(res.Body); err != nil || string(b) != "Hello from wasi/wasm\n" {
			t.Fatalf("answer %d: %q, %v", i, b, err)
		}
	}
}
