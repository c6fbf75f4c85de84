package logfile

import (
	"bytes"
	"context"
	"io"
	"os"
)

// maxLine bounds an entry. The shim cuts the program's lines at 16 KiB; JSON
// may make six bytes of one.
const maxLine = 1 << 20

// Read sends the chosen entries of the log at path, oldest first, and with
// Done those that come, until Done is closed, ctx ends or send fails. The
// bytes given to send are its own. A log that was never written is empty.
func Read(ctx context.Context, path string, o Options, send func(Line) error) error {
	if o.Damaged == nil {
		o.Damaged = func(string, int64) {}
	}
	var wake <-chan struct{}
	if o.Done != nil {
		// Watch before the first read: what is written between the two would
		// otherwise wait for the next write.
		w := newWatch(path)
		defer w.close()
		wake = w.changed
	}
	files, err := open(path)
	if err != nil {
		return err
	}
	defer func() { closeAll(files) }()

	if files, err = seekTail(files, &o); err != nil {
		return err
	}
	for i, f := range files {
		r := &reader{file: f, o: &o, send: send}
		if err := r.drain(ctx); err != nil {
			return err
		}
		if last := i == len(files)-1; !last || o.Done == nil {
			if err := r.finish(); err != nil {
				return err
			}
		} else {
			files = files[:i]
			return follow(ctx, path, r, wake, &o)
		}
	}
	if o.Done == nil {
		return nil
	}
	return follow(ctx, path, &reader{o: &o, send: send}, wake, &o)
}

// seekTail places every file where the last Tail entries begin, and closes and
// drops the files that have none of them.
func seekTail(files []*os.File, o *Options) ([]*os.File, error) {
	if o.Tail < 0 || len(files) == 0 {
		return files, nil
	}
	want := o.Tail
	first := len(files) - 1
	for i := len(files) - 1; i >= 0; i-- {
		var offset int64
		found := 0
		if want > 0 {
			var err error
			if offset, found, err = tail(files[i], want, o); err != nil {
				return files, err
			}
		} else {
			st, err := files[i].Stat()
			if err != nil {
				return files, err
			}
			offset = st.Size()
		}
		if _, err := files[i].Seek(offset, io.SeekStart); err != nil {
			return files, err
		}
		first = i
		if want -= found; want <= 0 {
			break
		}
	}
	closeAll(files[:first])
	return files[first:], nil
}

// reader reads the entries of one file.
type reader struct {
	file *os.File
	o    *Options
	send func(Line) error
	// part is the beginning of a line whose end is not written yet; at is
	// where it begins in the file.
	part []byte
	at   int64
	// started tells that at is set.
	started bool
	// skipping tells that the line is longer than any entry, and is skipped to
	// its end.
	skipping bool
}

// drain reads what is there now.
func (r *reader) drain(ctx context.Context) error {
	if r.file == nil {
		return nil
	}
	if !r.started {
		at, err := r.file.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		r.at, r.started = at, true
	}
	buf := make([]byte, block)
	for {
		if err := ctx.Err(); err != nil {
			return nil
		}
		n, err := r.file.Read(buf)
		r.part = append(r.part, buf[:n]...)
		if err := r.lines(); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// lines sends the whole lines in part.
func (r *reader) lines() error {
	for {
		nl := bytes.IndexByte(r.part, '\n')
		if nl < 0 {
			if len(r.part) > maxLine {
				r.skip(len(r.part))
				r.skipping = true
			}
			return nil
		}
		if r.skipping {
			r.skipping = false
			r.at += int64(nl + 1)
			r.part = r.part[nl+1:]
			continue
		}
		if err := r.one(r.part[:nl], nl+1); err != nil {
			return err
		}
	}
}

// one sends the entry in raw, which takes size bytes of part.
func (r *reader) one(raw []byte, size int) error {
	l, err := decode(raw)
	if err != nil {
		r.skip(size)
		return nil
	}
	r.at += int64(size)
	r.part = r.part[size:]
	if !r.o.wants(l) {
		return nil
	}
	return r.send(l)
}

func (r *reader) skip(size int) {
	if !r.skipping && size > 0 {
		r.o.Damaged(r.file.Name(), r.at)
	}
	r.at += int64(size)
	r.part = r.part[size:]
}

// finish ends the reading of a file that will not grow: what is left is a line
// that was cut short, or one whose newline is missing.
func (r *reader) finish() error {
	if len(r.part) == 0 {
		return nil
	}
	return r.one(r.part, len(r.part))
}
