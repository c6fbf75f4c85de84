package sandbox

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"wherry/internal/guest"
	"wherry/internal/sandbox/seccomp"
)

// controlFD is the socket to the shim, in the container process.
const controlFD = 3

// maxRights is how many descriptors one message takes (SCM_MAX_FD, unix(7)).
const maxRights = 253

// setup is the first thing that a container process is told, after its files:
// a number of descriptors in 4 bytes, and those, up to maxRights with a byte
// each. The setup itself is a line of JSON.
type setup struct {
	// Stdio tells which of the standard streams are among the files; they come
	// first. The others are /dev/null.
	Stdio    [3]bool      `json:"stdio"`
	Terminal bool         `json:"terminal,omitempty"`
	Config   guest.Config `json:"config"`
	// Seal is what the process gives up before the guest runs.
	Seal seccomp.Profile `json:"seal"`
}

// hand sends a container process what it needs.
func hand(conn *net.UnixConn, c Command) error {
	s := setup{Terminal: c.Terminal, Config: c.Config, Seal: c.Seal}
	var fds []int
	for i, f := range []*os.File{c.Stdin, c.Stdout, c.Stderr} {
		if s.Stdio[i] = f != nil; f != nil {
			fds = append(fds, int(f.Fd()))
		}
	}
	for _, f := range c.Files {
		fds = append(fds, int(f.Fd()))
	}
	if _, err := conn.Write(binary.BigEndian.AppendUint32(nil, uint32(len(fds)))); err != nil {
		return err
	}
	for rest := fds; len(rest) > 0; {
		n := min(len(rest), maxRights)
		if _, _, err := conn.WriteMsgUnix([]byte{0}, unix.UnixRights(rest[:n]...), nil); err != nil {
			return fmt.Errorf("hand files to the container process: %w", err)
		}
		rest = rest[n:]
	}
	return json.NewEncoder(conn).Encode(s)
}

// control is the container process's end of the socket. It reads what it is
// told and not a byte more.
type control struct{}

func (control) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(controlFD, p)
		if err == unix.EINTR {
			continue
		}
		return max(n, 0), err
	}
}

// files receives the descriptors.
func (c control) files() ([]int, error) {
	var head [4]byte
	for n := 0; n < len(head); {
		m, err := c.Read(head[n:])
		if err != nil || m == 0 {
			return nil, errors.Join(errors.New("nothing came"), err)
		}
		n += m
	}
	fds := make([]int, 0, binary.BigEndian.Uint32(head[:]))
	rights := make([]byte, unix.CmsgSpace(maxRights*4))
	for len(fds) < cap(fds) {
		n, oobn, _, _, err := unix.Recvmsg(controlFD, head[:1], rights, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return nil, errors.Join(errors.New("files are missing"), err)
		}
		messages, err := unix.ParseSocketControlMessage(rights[:oobn])
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			got, err := unix.ParseUnixRights(&m)
			if err != nil {
				return nil, err
			}
			fds = append(fds, got...)
		}
	}
	return fds, nil
}

// line reads up to the end of a line.
func (c control) line() (string, error) {
	var text strings.Builder
	buf := make([]byte, 64<<10)
	for {
		// What the shim says next comes only after an answer, so that a read
		// never takes a part of it.
		n, err := c.Read(buf)
		if err != nil || n == 0 {
			return "", errors.Join(errors.New("the shim is gone"), err)
		}
		text.Write(buf[:n])
		if buf[n-1] == '\n' {
			return strings.TrimSuffix(text.String(), "\n"), nil
		}
	}
}

// write says something to the shim.
func (control) write(m message) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	for data = append(data, '\n'); len(data) > 0; {
		n, err := unix.Write(controlFD, data)
		if err != nil && err != unix.EINTR {
			return err
		}
		data = data[max(n, 0):]
	}
	return nil
}

// take receives what the shim hands over and puts it in its places.
func (c control) take() (s setup, err error) {
	fds, err := c.files()
	if err != nil {
		return s, err
	}
	text, err := c.line()
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, err
	}
	for i, given := range s.Stdio {
		if !given || len(fds) == 0 {
			continue
		}
		if err := unix.Dup3(fds[0], i, 0); err != nil {
			return s, fmt.Errorf("take standard stream %d: %w", i, err)
		}
		unix.Close(fds[0])
		fds = fds[1:]
	}
	if s.Terminal {
		if err := unix.IoctlSetInt(0, unix.TIOCSCTTY, 0); err != nil {
			return s, fmt.Errorf("take the terminal: %w", err)
		}
	}
	return s, place(&s.Config, fds)
}

// place puts descriptors where a configuration has places in the list of them.
func place(cfg *guest.Config, fds []int) error {
	at := func(fd *int) error {
		if *fd < 0 || *fd >= len(fds) {
			return fmt.Errorf("there is no file %d of %d", *fd, len(fds))
		}
		*fd = fds[*fd]
		return nil
	}
	for _, fd := range []*int{&cfg.ModuleFD, &cfg.CodeFD} {
		if err := at(fd); err != nil {
			return err
		}
	}
	for i := range cfg.Net.Published {
		if err := at(&cfg.Net.Published[i].FD); err != nil {
			return err
		}
	}
	return nil
}
