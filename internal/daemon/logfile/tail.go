package logfile

import (
	"bytes"
	"io"
	"os"
)

// block is how much of a file is read at once, in bytes.
const block = 64 << 10

// tail finds where the last n chosen entries of f begin, reading from its end.
// It answers the offset and how many there are, at most n.
func tail(f *os.File, n int, o *Options) (offset int64, found int, err error) {
	st, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	end := st.Size()
	offset = end
	// rest is the beginning of what was read so far: the end of a line whose
	// beginning is not read yet.
	var rest []byte
	for at := end; at > 0; {
		size := min(at, block)
		at -= size
		buf := make([]byte, size, int(size)+len(rest))
		if _, err := f.ReadAt(buf, at); err != nil && err != io.EOF {
			return 0, 0, err
		}
		buf = append(buf, rest...)
		for {
			// A line begins after the newline before it; the newline that ends
			// the line is the last byte of buf, if there is one.
			nl := bytes.LastIndexByte(bytes.TrimSuffix(buf, []byte{'\n'}), '\n')
			if nl < 0 && at > 0 {
				break
			}
			start := nl + 1
			l, err := decode(bytes.TrimSuffix(buf[start:], []byte{'\n'}))
			if err == nil && o.wants(l) {
				offset = at + int64(start)
				if found++; found == n {
					return offset, found, nil
				}
			}
			buf = buf[:start]
			if len(buf) == 0 {
				break
			}
		}
		rest = buf
	}
	if found == 0 {
		return end, 0, nil
	}
	return offset, found, nil
}
