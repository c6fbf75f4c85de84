//go:build linux

package server

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// listen makes the socket, for this user alone. release gives the place free.
func listen(socket string) (_ net.Listener, release func(), err error) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the socket's folder: %w", err)
	}
	lock, err := os.OpenFile(socket+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("lock the socket: %w", err)
	}
	defer func() {
		if err != nil {
			lock.Close()
		}
	}()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, nil, fmt.Errorf("another engine listens on %s: stop it, or choose another --host and --data-root", socket)
	}
	if st, err := os.Lstat(socket); err == nil {
		if st.Mode()&os.ModeSocket == 0 {
			return nil, nil, fmt.Errorf("%s must be free for the engine's socket, a file of another kind is there: move it away", socket)
		}
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			return nil, nil, fmt.Errorf("something else answers on %s: choose another --host", socket)
		}
		if err := os.Remove(socket); err != nil {
			return nil, nil, fmt.Errorf("take the socket of an engine that ended away: %w", err)
		}
	}
	// Mode 0600 from the first moment; nothing else makes files yet.
	mask := unix.Umask(0o177)
	l, err := net.Listen("unix", socket)
	unix.Umask(mask)
	if err != nil {
		return nil, nil, fmt.Errorf("listen: %w", err)
	}
	return l, func() { lock.Close() }, nil
}
