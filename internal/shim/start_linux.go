package shim

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"wherry/internal/shim/bundle"
	"wherry/internal/shim/early"
)

// bootstrap is the start action's answer. containerd 1.7 takes version 2 at
// most, and so the task API under its v2 name; newer ones take both.
type bootstrap struct {
	Version  int    `json:"version"`
	Address  string `json:"address"`
	Protocol string `json:"protocol"`
}

// start makes the serving shim of the bundle in the working directory, or
// finds the one that already serves its pod, and prints its address. The
// serving one is this process where it was split before, another one else.
func start(o options, stdout io.Writer) error {
	var f *first
	if early.Split() {
		// Before anything else: what follows takes as long as the container
		// process takes to begin.
		f = standby(o.id)
	}
	if err := keepInput(os.Stdin); err != nil {
		return err
	}
	params, l, err := claim(o)
	if err != nil {
		return err
	}
	if l == nil {
		return json.NewEncoder(stdout).Encode(params)
	}
	defer l.Close()
	if early.Split() {
		err = json.NewEncoder(stdout).Encode(params)
	} else if err = spawn(o, l); err == nil {
		return json.NewEncoder(stdout).Encode(params)
	}
	if err == nil {
		err = detach()
	}
	if err != nil {
		os.Remove(l.Addr().String())
		return err
	}
	early.Release()
	runtime.GOMAXPROCS(min(2, runtime.NumCPU()))
	return serveOn(o, l, f)
}

// claim makes the socket of the bundle's shim; the listener is nil where a
// living shim of the pod has it.
func claim(o options) (bootstrap, *net.UnixListener, error) {
	group, err := grouping(o.id)
	if err != nil {
		return bootstrap{}, nil, err
	}
	path := socketPath(o, group)
	params := bootstrap{Version: 2, Address: "unix://" + path, Protocol: "ttrpc"}
	l, err := listen(path)
	if err != nil && !errors.Is(err, unix.EADDRINUSE) {
		return params, nil, err
	}
	if err := bundle.WriteFile(".", bundle.Address, []byte(params.Address)); err != nil {
		if l != nil {
			l.Close()
			os.Remove(path)
		}
		return params, nil, err
	}
	return params, l, nil
}

// detach gives up the streams of whoever asked for the start, who reads them
// to their end.
func detach() error {
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	defer unix.Close(null)
	for fd := range 3 {
		if err := unix.Dup3(null, fd, 0); err != nil {
			return fmt.Errorf("give up stream %d: %w", fd, err)
		}
	}
	return nil
}

// spawn runs this program once more, to serve.
func spawn(o options, l *net.UnixListener) error {
	f, err := l.File()
	if err != nil {
		return err
	}
	defer f.Close()
	args := []string{os.Args[0], "-namespace", o.namespace, "-id", o.id, "-address", o.address}
	if o.debug {
		args = append(args, "-debug")
	}
	cmd := &exec.Cmd{
		Path:        "/proc/self/exe",
		Args:        args,
		Env:         append(os.Environ(), "GOMAXPROCS=2"),
		ExtraFiles:  []*os.File{f},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		os.Remove(l.Addr().String())
		return fmt.Errorf("start the shim: %w", err)
	}
	return cmd.Process.Release()
}

// grouping is the id under which containers share a shim: their pod's, or the
// container's own.
func grouping(id string) (string, error) {
	f, err := os.Open(bundle.Config)
	if err != nil {
		return "", fmt.Errorf("read the bundle: %w", err)
	}
	defer f.Close()
	var spec struct {
		Annotations map[string]string `json:"annotations"`
	}
	if err := json.NewDecoder(f).Decode(&spec); err != nil {
		return "", fmt.Errorf("read the bundle: %s: %w", bundle.Config, err)
	}
	if pod := spec.Annotations[bundle.Sandbox]; pod != "" {
		return pod, nil
	}
	return id, nil
}

// socketPath is the socket of a group's shim: in a folder beside containerd's
// own socket, under a name short enough for an address and the same for all
// containers of the group. containerd's own shims do likewise, below
// /run/containerd.
func socketPath(o options, group string) string {
	sum := sha256.Sum256([]byte(o.address + "\x00" + o.namespace + "\x00" + group))
	dir := "/run/containerd"
	if o.address != "" {
		dir = filepath.Dir(strings.TrimPrefix(o.address, "unix://"))
	}
	return filepath.Join(dir, "s", fmt.Sprintf("%x", sum[:16]))
}

// listen makes the socket. EADDRINUSE means that a living shim has it.
func listen(path string) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the shim's socket: %w", err)
	}
	l, err := listenOnce(path)
	if !errors.Is(err, unix.EADDRINUSE) {
		return l, err
	}
	if c, dialErr := net.DialTimeout("unix", path, time.Second); dialErr == nil {
		c.Close()
		return nil, err
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("remove the socket of a dead shim: %w", err)
	}
	return listenOnce(path)
}

func listenOnce(path string) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("make the shim's socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("make the shim's socket: %w", err)
	}
	return l, nil
}
