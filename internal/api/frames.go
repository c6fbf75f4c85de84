package api

import (
	"encoding/binary"
	"io"
	"sync"
)

// The streams of a multiplexed answer (Docker Engine API, "Attach to a
// container", stream format).
const (
	frameStdout = 1
	frameStderr = 2
	frameSystem = 3
)

// The two content types of a container's streams.
const (
	typeRaw         = "application/vnd.docker.raw-stream"
	typeMultiplexed = "application/vnd.docker.multiplexed-stream"
)

// muxer writes frames of several streams to one writer.
type muxer struct {
	mu sync.Mutex
	w  io.Writer
}

// frames is one stream of a muxer: each write becomes a frame.
type frames struct {
	m      *muxer
	stream byte
}

// Write sends header and bytes with one call to the writer, so that a frame is
// never cut by another stream's.
func (f frames) Write(p []byte) (int, error) {
	buf := make([]byte, 8+len(p))
	buf[0] = f.stream
	binary.BigEndian.PutUint32(buf[4:], uint32(len(p)))
	copy(buf[8:], p)
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if _, err := f.m.w.Write(buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

// outputs gives the writers for a container's stdout and stderr on w: frames,
// or the bytes as they are where it has a terminal.
func outputs(w io.Writer, tty bool) (stdout, stderr io.Writer) {
	if tty {
		return w, w
	}
	m := &muxer{w: w}
	return frames{m, frameStdout}, frames{m, frameStderr}
}
