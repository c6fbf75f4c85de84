//go:build linux

package stream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
	"unicode/utf8"
)

// maxLine is where Docker's log drivers cut long lines, in bytes.
const maxLine = 16 << 10

// JSONLog writes a container's log in the form of Docker's json-file driver:
// a JSON object a line, with the text, the stream and the time. It is safe for
// concurrent use.
type JSONLog struct {
	path string
	// maxSize is the size in bytes at which the file is rotated, 0 for never;
	// maxFile is how many files are kept, the current one included.
	maxSize int64
	maxFile int
	now     func() time.Time

	mu      sync.Mutex
	f       *os.File
	size    int64
	partial [3][]byte // by stream: the start of a line whose end is to come
	buf     bytes.Buffer
}

// OpenJSONLog opens a log to append to. maxSize 0 means no bound; maxFile
// below 1 counts as 1, which makes a full log start anew.
func OpenJSONLog(path string, maxSize int64, maxFile int) (*JSONLog, error) {
	l := &JSONLog{path: path, maxSize: maxSize, maxFile: max(maxFile, 1), now: time.Now}
	if err := l.open(0); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *JSONLog) open(flags int) error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|flags, 0o640)
	if err != nil {
		return fmt.Errorf("open the container's log: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("open the container's log: %w", err)
	}
	l.f, l.size = f, st.Size()
	return nil
}

// Write adds output of a stream. A line is written when its newline comes, or
// cut when it grows beyond 16 KiB; the rest is kept. An error means that lines were
// lost; the log goes on with the next ones.
func (l *JSONLog) Write(s Stream, p []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	var first error
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n') + 1
		whole := end > 0
		if !whole {
			end = len(p)
		}
		line := p[:end]
		if len(l.partial[s]) > 0 {
			line = append(l.partial[s], line...)
		}
		p = p[end:]
		for len(bytes.TrimSuffix(line, newline)) > maxLine {
			n := cut(line)
			if err := l.line(s, line[:n], now); err != nil && first == nil {
				first = err
			}
			line = line[n:]
		}
		if whole {
			if err := l.line(s, line, now); err != nil && first == nil {
				first = err
			}
			line = nil
		}
		l.partial[s] = append(l.partial[s][:0], line...)
	}
	if err := l.flush(); err != nil && first == nil {
		first = err
	}
	return first
}

var newline = []byte{'\n'}

// cut is where a line of more than 16 KiB is cut: there, or up to three bytes
// before so as not to halve a character.
func cut(line []byte) int {
	for n := maxLine; n > maxLine-utf8.UTFMax; n-- {
		if utf8.RuneStart(line[n]) {
			return n
		}
	}
	return maxLine
}

// line adds one record to the buffer, and rotates the file before it where it
// is full.
func (l *JSONLog) line(s Stream, text []byte, now time.Time) error {
	if l.maxSize > 0 && l.size+int64(l.buf.Len()) >= l.maxSize {
		if err := l.flush(); err != nil {
			return err
		}
		if err := l.rotate(); err != nil {
			return err
		}
	}
	// Bytes that are not UTF-8 become U+FFFD, as in Docker.
	log, err := json.Marshal(string(text))
	if err != nil {
		return err
	}
	fmt.Fprintf(&l.buf, `{"log":%s,"stream":"%s","time":"%s"}`+"\n", log, s, now.UTC().Format(time.RFC3339Nano))
	return nil
}

// flush writes the buffer. Where only a part fits, that part is taken back, so
// that the log stays readable line by line.
func (l *JSONLog) flush() error {
	if l.buf.Len() == 0 {
		return nil
	}
	defer l.buf.Reset()
	if l.f == nil {
		if err := l.open(0); err != nil {
			return err
		}
	}
	n, err := l.f.Write(l.buf.Bytes())
	if err != nil {
		if n > 0 {
			if e := l.f.Truncate(l.size); e != nil {
				l.size += int64(n)
			}
		}
		return fmt.Errorf("write the container's log: %w", err)
	}
	l.size += int64(n)
	return nil
}

// rotate renames the file to path.1, path.1 to path.2 and so on, and starts a
// new one.
func (l *JSONLog) rotate() error {
	if l.f != nil {
		l.f.Close()
		l.f = nil
	}
	for i := l.maxFile - 1; i > 0; i-- {
		from := l.path
		if i > 1 {
			from = fmt.Sprintf("%s.%d", l.path, i-1)
		}
		if err := os.Rename(from, fmt.Sprintf("%s.%d", l.path, i)); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("rotate the container's log: %w", err)
		}
	}
	if l.maxFile <= 1 {
		// A new file, not an emptied one, so that who reads on notices.
		if err := os.Remove(l.path); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("rotate the container's log: %w", err)
		}
	}
	return l.open(os.O_TRUNC)
}

// Close writes lines that have no newline yet and closes the file.
func (l *JSONLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var first error
	for s, line := range l.partial {
		if len(line) > 0 {
			if err := l.line(Stream(s), line, l.now()); err != nil && first == nil {
				first = err
			}
			l.partial[s] = nil
		}
	}
	if err := l.flush(); err != nil && first == nil {
		first = err
	}
	if l.f != nil {
		if err := l.f.Close(); err != nil && first == nil {
			first = err
		}
		l.f = nil
	}
	return first
}
