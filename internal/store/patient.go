package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/containerd/errdefs"
)

// patience is how long a registry may send nothing where an answer or the rest
// of one is due.
const patience = 60 * time.Second

// patient is a transport that does not wait for a silent registry for ever, and
// does not read without end where it answers with a document: containerd's
// resolver takes manifests, errors and tokens as long as they come. Blobs have
// their sizes, and what sends them may be slow, but not silent.
type patient struct {
	next http.RoundTripper
	wait time.Duration
}

// errSilent is retried as a broken connection is: the next may be better.
func errSilent(host string, wait time.Duration) error {
	return fmt.Errorf("%s sent nothing for %v: %w", host, wait, errdefs.ErrUnavailable)
}

// RoundTrip implements http.RoundTripper. What is sent to a registry takes the
// time it takes.
func (p *patient) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return p.next.RoundTrip(req)
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	silent := errSilent(req.URL.Host, p.wait)
	timer := time.AfterFunc(p.wait, func() { cancel(silent) })
	resp, err := p.next.RoundTrip(req.WithContext(ctx))
	timer.Stop()
	if err != nil {
		cancel(nil)
		if errors.Is(context.Cause(ctx), silent) {
			err = silent
		}
		return nil, err
	}
	body := &patientBody{ReadCloser: resp.Body, ctx: ctx, cancel: cancel, silent: silent, timer: timer, wait: p.wait, left: -1}
	if !ofBlob(req) {
		body.left = maxDocument
	}
	resp.Body = body
	return resp, nil
}

// ofBlob tells whether a request is for a blob, or was led elsewhere by one:
// registries send clients to object stores.
func ofBlob(req *http.Request) bool {
	for {
		if strings.Contains(req.URL.Path, "/blobs/") {
			return true
		}
		if req.Response == nil || req.Response.Request == nil {
			return false
		}
		req = req.Response.Request
	}
}

// patientBody is an answer that must go on, and end where it is a document.
type patientBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	silent error
	timer  *time.Timer
	wait   time.Duration
	left   int64 // bytes that may still come; negative for no bound
}

// Read implements io.Reader.
func (b *patientBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		// The end, or more than there may be.
		p = p[:min(1, len(p))]
	} else if b.left > 0 {
		p = p[:min(b.left, int64(len(p)))]
	}
	b.timer.Reset(b.wait)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	switch {
	case b.left == 0 && n > 0:
		return 0, fmt.Errorf("the registry answers with more than %d bytes where a document is due: %w", maxDocument, errdefs.ErrInvalidArgument)
	case b.left > 0:
		b.left -= int64(n)
	}
	if err != nil && err != io.EOF && errors.Is(context.Cause(b.ctx), b.silent) {
		err = b.silent
	}
	return n, err
}

// Close implements io.Closer.
func (b *patientBody) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
