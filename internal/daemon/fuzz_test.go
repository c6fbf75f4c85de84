//go:build linux

package daemon

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// FuzzDemultiplex holds that damaged frames of a container's output, which
// a process beside the guest writes, never make more than was sent, and that
// what was framed well arrives.
func FuzzDemultiplex(f *testing.F) {
	frame := func(stream byte, size uint32, text string) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{stream, 0, 0, 0}, size), text...)
	}
	f.Add(frame(1, 5, "hello"), false)
	f.Add(append(frame(2, 3, "err"), frame(1, 0, "")...), true)
	f.Add(frame(1, 1<<31, "x"), false)
	f.Add(frame(3, 1, "x"), false)
	f.Add(frame(1, 9, "cut"), false)
	f.Fuzz(func(t *testing.T, data []byte, deaf bool) {
		var out, errs bytes.Buffer
		s := Streams{Stdout: &out, Stderr: &errs}
		if deaf {
			s.Stderr = nil
		}
		err := demultiplex(bytes.NewReader(data), s)
		if out.Len()+errs.Len() > len(data) {
			t.Errorf("%d bytes became %d", len(data), out.Len()+errs.Len())
		}
		if deaf && errs.Len() != 0 {
			t.Error("the stream that nobody wants arrived")
		}
		// By another way: whole frames are a prefix of what arrived.
		var whole [2][]byte
		for rest := data; len(rest) >= 8; {
			size := int(binary.BigEndian.Uint32(rest[4:]))
			if rest[0] != 1 && rest[0] != 2 || size > maxFrame || len(rest) < 8+size {
				if err == nil {
					t.Error("damage was passed over")
				}
				break
			}
			whole[rest[0]-1] = append(whole[rest[0]-1], rest[8:8+size]...)
			rest = rest[8+size:]
		}
		if !bytes.HasPrefix(out.Bytes(), whole[0]) || !deaf && !bytes.HasPrefix(errs.Bytes(), whole[1]) {
			t.Errorf("got %q and %q, want %q", out.Bytes(), errs.Bytes(), whole)
		}
	})
}
