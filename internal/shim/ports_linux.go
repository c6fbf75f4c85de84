package shim

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"wherry/internal/shim/bundle"
)

// backlog is how many connections may wait for a guest to accept them.
const backlog = 4096

// published is a bound port.
type published struct {
	bundle.Port
	file *os.File
}

// publish binds ports on the host. So a port that is taken is an error now, a
// random one is known, and a guest needs no right to bind a low one. name is
// the container's, for the message.
func publish(ports []bundle.Port, name string) (bound []published, err error) {
	defer func() {
		if err != nil {
			unpublish(bound)
		}
	}()
	for _, p := range ports {
		b, err := bind(p)
		if err != nil {
			return bound, fmt.Errorf("driver failed programming external connectivity on endpoint %s: %w", name, err)
		}
		bound = append(bound, b)
	}
	return bound, nil
}

// unpublish closes what this process has of bound ports.
func unpublish(bound []published) {
	for _, b := range bound {
		b.file.Close()
	}
}

// bind binds one port. No host address means all, IPv4 and IPv6, on one socket
// where the machine has IPv6.
func bind(p bundle.Port) (published, error) {
	kind := unix.SOCK_STREAM
	switch p.Proto {
	case "tcp", "":
		p.Proto = "tcp"
	case "udp":
		kind = unix.SOCK_DGRAM
	default:
		return published{}, fmt.Errorf("cannot publish port %d/%s: Wherry publishes tcp and udp: %w", p.ContainerPort, p.Proto, errdefs.ErrNotImplemented)
	}
	if p.ContainerPort == 0 {
		return published{}, fmt.Errorf("cannot publish a port without the container's port: %w", errdefs.ErrInvalidArgument)
	}
	addrs := []netip.Addr{netip.IPv6Unspecified(), netip.IPv4Unspecified()}
	if p.HostIP != "" {
		a, err := netip.ParseAddr(p.HostIP)
		if err != nil {
			return published{}, fmt.Errorf("cannot publish port %d: %q is no IP address: %w", p.ContainerPort, p.HostIP, errdefs.ErrInvalidArgument)
		}
		addrs = []netip.Addr{a.Unmap()}
	}
	var fd int
	var err error
	for _, a := range addrs {
		if fd, err = listenOn(a, p.HostPort, kind, p.HostIP == ""); err == nil || !noIPv6(err) {
			break
		}
	}
	if err != nil {
		return published{}, bindError(p, err)
	}
	f := os.NewFile(uintptr(fd), "published port")
	sa, err := unix.Getsockname(fd)
	if err != nil {
		f.Close()
		return published{}, fmt.Errorf("read the port that was bound: %w", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		p.HostPort = uint16(sa.Port)
	case *unix.SockaddrInet6:
		p.HostPort = uint16(sa.Port)
	}
	return published{p, f}, nil
}

// noIPv6 tells that the machine has no IPv6.
func noIPv6(err error) bool {
	return errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)
}

// bindError words a failure as Docker's users know it. It avoids the words
// "permission denied", which would make exit code 126 of it.
func bindError(p bundle.Port, err error) error {
	host := p.HostIP
	if host == "" {
		host = "0.0.0.0"
	}
	where := fmt.Sprintf("Bind for %s failed", netip.AddrPortFrom(netip.MustParseAddr(host), p.HostPort))
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return portTaken(where + ": port is already allocated; publish another one, or stop what listens there")
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("%s: ports below 1024 need root, or a lower net.ipv4.ip_unprivileged_port_start: %w", where, errdefs.ErrFailedPrecondition)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("%s: this machine has no such address: %w", where, errdefs.ErrInvalidArgument)
	}
	return fmt.Errorf("%s: %w", where, err)
}

// portTaken is a port that somebody else has. Its text ends as Docker's does,
// without the words of its class.
type portTaken string

func (e portTaken) Error() string { return string(e) }
func (portTaken) Unwrap() error   { return errdefs.ErrUnavailable }

func listenOn(a netip.Addr, port uint16, kind int, dual bool) (int, error) {
	family := unix.AF_INET
	var sa unix.Sockaddr = &unix.SockaddrInet4{Port: int(port), Addr: v4(a)}
	if a.Is6() {
		family = unix.AF_INET6
		sa = &unix.SockaddrInet6{Port: int(port), Addr: a.As16()}
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = func() error {
		if family == unix.AF_INET6 {
			only := 1
			if dual {
				only = 0
			}
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
				return err
			}
		}
		if kind == unix.SOCK_STREAM {
			// Connections of a container before this one may still be fading.
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
				return err
			}
		}
		if err := unix.Bind(fd, sa); err != nil {
			return err
		}
		if kind == unix.SOCK_STREAM {
			return unix.Listen(fd, backlog)
		}
		return nil
	}()
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// v4 gives the bytes of an IPv4 address, zeros for an IPv6 one.
func v4(a netip.Addr) [4]byte {
	if a.Is4() {
		return a.As4()
	}
	return [4]byte{}
}
