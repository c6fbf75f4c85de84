//go:build linux

package host

import "golang.org/x/sys/unix"

// randomChunk is how much is asked of the kernel at once: up to 256 bytes are
// never cut short by a signal, and a large request stays interruptible.
const randomChunk = 1 << 16

// Random fills b with bytes from the kernel's generator (getrandom(2)).
func Random(b []byte) error {
	for len(b) > 0 {
		n, err := unix.Getrandom(b[:min(len(b), randomChunk)], 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
