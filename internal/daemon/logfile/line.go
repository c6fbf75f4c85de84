// Package logfile reads a container's log as the shim writes it: Docker's
// json-file form, one JSON object per line, rotated to path.1, path.2, ….
//
// It must not know containers or HTTP; it neither writes nor rotates.
package logfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
)

// Line is an entry of the log: a line as the program wrote it, or a part of a
// long one.
type Line struct {
	// Stream is "stdout" or "stderr".
	Stream string
	Time   time.Time
	// Log holds the bytes with the newline, if there was one.
	Log []byte
}

type entry struct {
	Log    string    `json:"log"`
	Stream string    `json:"stream"`
	Time   time.Time `json:"time"`
}

var errDamaged = errors.New("not a line of a json-file log")

// decode reads one line without its newline. Any other content than an object
// with a stream and a time is damage: a zero time would defeat since and until
// in silence.
func decode(raw []byte) (Line, error) {
	raw = bytes.TrimSuffix(raw, []byte{'\r'})
	var e entry
	if err := json.Unmarshal(raw, &e); err != nil {
		return Line{}, errDamaged
	}
	if (e.Stream != "stdout" && e.Stream != "stderr") || e.Time.IsZero() {
		return Line{}, errDamaged
	}
	return Line{Stream: e.Stream, Time: e.Time, Log: []byte(e.Log)}, nil
}

// Options choose lines.
type Options struct {
	Stdout, Stderr bool
	// Tail is how many entries from the end; negative means all.
	Tail int
	// Since and Until bound the entries' times; zero means no bound.
	Since, Until time.Time
	// Done, if not nil, makes the reader wait for more until it is closed or
	// the context ends; what is in the file by then is still read.
	Done <-chan struct{}
	// Damaged is told of bytes that are no entry and were skipped: the file,
	// and where they begin.
	Damaged func(path string, offset int64)
}

// wants tells whether the entry is chosen, Tail aside.
func (o *Options) wants(l Line) bool {
	if (l.Stream == "stdout" && !o.Stdout) || (l.Stream == "stderr" && !o.Stderr) {
		return false
	}
	if !o.Since.IsZero() && l.Time.Before(o.Since) {
		return false
	}
	return o.Until.IsZero() || !l.Time.After(o.Until)
}
