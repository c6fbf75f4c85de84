package unpack

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
)

// sparse is an archive of one file that is a hole of size bytes, in the old GNU
// form that Go's writer does not make (GNU tar manual, "Storing Sparse Files").
func sparse(t testing.TB, name string, size int64) []byte {
	t.Helper()
	b := archive(t, ent{name: name})
	h := b[:512]
	copy(h[257:], "ustar  \x00")
	h[156] = 'S'
	// One piece of data, of no bytes, at the end.
	copy(h[386:], number(size))
	copy(h[398:], number(0))
	copy(h[483:], number(size))
	sum := 0
	copy(h[148:], "        ")
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// number is one of GNU tar's fields of 12 bytes: octal, or binary if too large.
func number(n int64) string {
	if s := fmt.Sprintf("%011o\x00", n); len(s) == 12 {
		return s
	}
	b := []byte{0x80, 0, 0, 0}
	for shift := 56; shift >= 0; shift -= 8 {
		b = append(b, byte(n>>shift))
	}
	return string(b)
}

// paxed is an archive of one file under extended records, which Go's writer
// would refuse some of.
func paxed(t testing.TB, name string, records map[string]string) []byte {
	t.Helper()
	var body bytes.Buffer
	for k, v := range records {
		// The length counts itself.
		n := len(k) + len(v) + 3
		for width := 1; width < 5; width++ {
			if s := fmt.Sprint(n + width); len(s) == width {
				fmt.Fprintf(&body, "%s %s=%s\n", s, k, v)
				break
			}
		}
	}
	head := archive(t, ent{name: "PaxHeaders.0/" + name, body: body.String()})
	head = head[:len(head)-1024]
	head[156] = tar.TypeXHeader
	sum := 0
	copy(head[148:156], "        ")
	for _, c := range head[:512] {
		sum += int(c)
	}
	copy(head[148:], fmt.Sprintf("%06o\x00 ", sum))
	return append(head, archive(t, ent{name: name, body: "123456789"})...)
}

// links tells how many names a file has.
func links(fi fs.FileInfo) string {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && !fi.IsDir() {
		return fmt.Sprint(" ", st.Nlink)
	}
	return ""
}
