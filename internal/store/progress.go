package store

import (
	"errors"
	"io"
	"sync"
	"time"

	digest "github.com/opencontainers/go-digest"
)

// What Event.Status says of a layer, in Docker's words.
const (
	StatusPulling     = "Pulling fs layer"
	StatusDownloading = "Downloading"
	StatusDownloaded  = "Download complete"
	StatusPulled      = "Pull complete"
	StatusExists      = "Already exists"
	StatusPreparing   = "Preparing"
	StatusPushing     = "Pushing"
	StatusPushed      = "Pushed"
	StatusPushExists  = "Layer already exists"
)

// Event is a step of a pull, push or load, as it appears in Docker's JSON
// lines.
type Event struct {
	// ID is a layer's short digest, a tag in the first line, or empty for
	// lines of their own.
	ID     string
	Status string
	// Current and Total count bytes while data moves; Total is 0 otherwise.
	Current, Total int64
}

// reporter sends events to a function, one at a time.
type reporter struct {
	mu sync.Mutex
	f  func(Event)
}

func newReporter(f func(Event)) *reporter { return &reporter{f: f} }

func (r *reporter) send(e Event) {
	if r == nil || r.f == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.f(e)
}

// layer sends a step of a blob.
func (r *reporter) layer(d digest.Digest, status string) {
	r.send(Event{ID: shortID(d), Status: status})
}

// shortID is the 12 digits by which Docker shows a digest.
func shortID(d digest.Digest) string {
	e := d.Encoded()
	return e[:min(12, len(e))]
}

// progressEvery is how often moving data is reported.
const progressEvery = 100 * time.Millisecond

// meter counts bytes and reports them now and then.
type meter struct {
	r      *reporter
	id     string
	status string
	total  int64

	mu   sync.Mutex
	at   int64
	last time.Time
}

// set tells how many bytes have moved.
func (m *meter) set(at int64) {
	m.mu.Lock()
	m.at = at
	now := time.Now()
	due := now.Sub(m.last) >= progressEvery || at == m.total
	if due {
		m.last = now
	}
	m.mu.Unlock()
	if due && m.r != nil {
		m.r.send(Event{ID: m.id, Status: m.status, Current: at, Total: m.total})
	}
}

// errNoSeek tells that what was fetched already must be read again.
var errNoSeek = errors.New("the download can't continue at an offset")

// meteredReader is a download that can continue at an offset.
type meteredReader struct {
	io.ReadCloser
	m  *meter
	at int64
}

// Read implements io.Reader.
func (r *meteredReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.at += int64(n)
	r.m.set(r.at)
	return n, err
}

// Seek implements io.Seeker where the download can.
func (r *meteredReader) Seek(offset int64, whence int) (int64, error) {
	s, ok := r.ReadCloser.(io.Seeker)
	if !ok {
		return 0, errNoSeek
	}
	at, err := s.Seek(offset, whence)
	if err == nil {
		r.at = at
	}
	return at, err
}
