package stream

import (
	"bytes"
	"encoding/hex"
	"io"
	"testing"
	"testing/iotest"
)

func TestStream(t *testing.T) {
	// The first outputs of SplitMix64 with seed 0 are published:
	// e220a8397b1dcdaf, 6e789e6aa1b965f4.
	got, err := io.ReadAll(New(13))
	if want := "afcd1d7b39a820e2f465b9a16a"; err != nil || hex.EncodeToString(got) != want {
		t.Errorf("the first 13 bytes are %x (%v), want %s", got, err, want)
	}
}

func TestReadSizesDontMatter(t *testing.T) {
	whole, err := io.ReadAll(New(1001))
	if err != nil || len(whole) != 1001 {
		t.Fatalf("%d bytes: %v", len(whole), err)
	}
	for name, r := range map[string]io.Reader{
		"byte by byte": iotest.OneByteReader(New(1001)),
		"halves":       iotest.HalfReader(New(1001)),
	} {
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, whole) {
			t.Errorf("%s: other bytes, or %v", name, err)
		}
	}
}
