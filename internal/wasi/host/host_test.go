//go:build linux

package host

import (
	"bytes"
	"io"
	"os"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func vec(parts ...[]byte) []unix.Iovec {
	var v []unix.Iovec
	for _, p := range parts {
		v = append(v, unix.Iovec{Base: unsafe.SliceData(p)})
		v[len(v)-1].SetLen(len(p))
	}
	return v
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func TestClocks(t *testing.T) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		t.Fatal(err)
	}
	now, err := Now(Monotonic)
	if err != nil {
		t.Fatal(err)
	}
	if diff := int64(now) - ts.Nano(); diff < -1e6 || diff > 1e9 {
		t.Errorf("the monotonic clock is %d ns from the kernel's", diff)
	}
	if _, err := Now(4); err != unix.EINVAL {
		t.Errorf("clock 4: %v", err)
	}
	if _, err := Resolution(4); err != unix.EINVAL {
		t.Errorf("resolution of clock 4: %v", err)
	}
}

func TestRandom(t *testing.T) {
	a, b := make([]byte, 3*randomChunk+1), make([]byte, 3*randomChunk+1)
	for _, s := range [][]byte{a, b, nil} {
		if err := Random(s); err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Equal(a[len(a)-64:], b[len(b)-64:]) {
		t.Error("the ends of two long requests are equal")
	}
}

func TestIovecs(t *testing.T) {
	a, b, c := []byte("ab"), []byte{}, []byte("cdef")
	v := vec(a, b, c)
	if Total(v) != 6 {
		t.Errorf("total %d", Total(v))
	}
	if v = Advance(v, 3); len(v) != 1 || *v[0].Base != 'd' || v[0].Len != 3 {
		t.Errorf("advanced to %+v", v)
	}
	if v = Advance(v, 3); len(v) != 0 {
		t.Errorf("advanced to the end and %d buffers are left", len(v))
	}
	if v = Limit(vec(a, c), 3); Total(v) != 3 || len(v) != 2 {
		t.Errorf("limited to %d bytes in %d buffers", Total(v), len(v))
	}
	if v = Limit(vec(a), 9); Total(v) != 2 {
		t.Errorf("a limit beyond the end left %d bytes", Total(v))
	}
}

func TestPoll(t *testing.T) {
	r, w := pipe(t)
	fds := []unix.PollFd{{Fd: int32(r.Fd()), Events: unix.POLLIN}, {Fd: -1, Events: unix.POLLIN}}
	start := time.Now()
	if n, err := Poll(fds, 5*time.Millisecond); n != 0 || err != nil || time.Since(start) < 5*time.Millisecond {
		t.Errorf("waiting for nothing: %d, %v after %v", n, err, time.Since(start))
	}
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := Poll(fds, Forever); n != 1 || err != nil || fds[0].Revents != unix.POLLIN {
		t.Errorf("a readable pipe: %d, %v, %#x", n, err, fds[0].Revents)
	}
}

// TestWaitingOnNonBlocking reads and writes descriptors that somebody else has
// made non-blocking.
func TestWaitingOnNonBlocking(t *testing.T) {
	r, w := pipe(t)
	in, out := int(r.Fd()), int(w.Fd()) // Fd makes them blocking
	for _, fd := range []int{in, out} {
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
	}
	payload := bytes.Repeat([]byte("wherry"), 50000) // more than a pipe holds
	done := make(chan error, 1)
	go func() {
		n, err := NewStream(out).Write(vec(payload[:100], payload[100:]))
		if err == nil && n != len(payload) {
			err = io.ErrShortWrite
		}
		w.Close()
		done <- err
	}()
	s, b := NewStream(in), make([]byte, 4096)
	var got []byte
	for {
		n, err := s.Read(vec(b))
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		got = append(got, b[:n]...)
	}
	if err := <-done; err != nil || !bytes.Equal(got, payload) {
		t.Errorf("%d of %d bytes, %v", len(got), len(payload), err)
	}
}

func TestStreamKinds(t *testing.T) {
	r, _ := pipe(t)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	for fd, want := range map[int]StreamKind{int(r.Fd()): StreamOther, int(file.Fd()): StreamFile, int(null.Fd()): StreamDevice, pair[0]: StreamSocket, -1: StreamOther} {
		if got := NewStream(fd).Kind(); got != want {
			t.Errorf("descriptor %d is of kind %d, want %d", fd, got, want)
		}
	}
	if _, err := NewStream(-1).Read(vec(make([]byte, 1))); err != unix.EBADF {
		t.Errorf("reading a closed stream: %v", err)
	}
}

func TestBrokenPipe(t *testing.T) {
	r, w := pipe(t)
	r.Close()
	if _, err := NewStream(int(w.Fd())).Write(vec([]byte("x"))); err != unix.EPIPE {
		t.Errorf("got %v", err)
	}
}
