//go:build linux

package socket

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"wherry/internal/wasi/host/socket/policy"
)

// Family is the address family of a socket.
type Family int

// The address families.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// Type is the type of a socket.
type Type int

// The socket types.
const (
	Stream   Type = 1
	Datagram Type = 2
)

// locator tells where addresses lie.
type locator interface {
	locate(netip.Addr) (place, error)
	close() error
}

var _ locator = (*router)(nil)

// Network is one guest's network.
type Network struct {
	mode     string
	config   Config
	ports    portTable
	resolver resolver

	// routes is nil where nothing depends on where addresses lie: in host mode
	// without a list.
	routes locator
	// allow is nil where everything outside is allowed.
	allow    *policy.Allow
	known    knownNames
	verdicts map[netip.AddrPort]verdict

	// guarded are ports that no socket of the guest may have: those of name
	// servers that lie in its own network namespace.
	guarded map[uint16]bool

	limits
}

// New opens the network of a guest. The inherited descriptors of
// config.Published belong to the Network from here on.
func New(config Config) (*Network, error) {
	n := &Network{mode: config.Mode, config: config, ports: newPortTable(config.Published),
		known: knownNames{}, verdicts: map[netip.AddrPort]verdict{}}
	switch config.Mode {
	case "":
		n.mode = ModeNone
	case ModeNone, ModePrivate, ModeHost:
	default:
		return nil, fmt.Errorf("network mode %q: want %q, %q or %q: %w", config.Mode, ModeNone, ModePrivate, ModeHost, errdefs.ErrInvalidArgument)
	}
	for _, l := range config.Published {
		if err := checkListener(l); err != nil {
			return nil, err
		}
	}
	if config.Connect != nil {
		allow, err := policy.ParseAllow(*config.Connect)
		if err != nil {
			return nil, fmt.Errorf("what the guest may connect to: %w", err)
		}
		n.allow = &allow
	}
	if n.mode == ModePrivate || n.mode == ModeHost && n.allow != nil {
		routes, err := newRouter()
		if err != nil {
			return nil, fmt.Errorf("asking the kernel for routes: %w", err)
		}
		n.routes = routes
	}
	n.resolver = newResolver(config)
	if err := n.ownServers(); err != nil {
		return nil, errors.Join(err, n.closeRoutes())
	}
	return n, nil
}

// checkListener makes sure that an inherited descriptor is what it should be,
// so that a mistake shows at start and not as a guest's odd error.
func checkListener(l Listener) error {
	want := map[string]int{TCP: unix.SOCK_STREAM, UDP: unix.SOCK_DGRAM}[l.Proto]
	if want == 0 {
		return fmt.Errorf("published port %d: protocol %q: want tcp or udp: %w", l.Port, l.Proto, errdefs.ErrInvalidArgument)
	}
	typ, err := unix.GetsockoptInt(l.FD, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return fmt.Errorf("published port %d/%s: descriptor %d: %w", l.Port, l.Proto, l.FD, err)
	}
	if typ != want {
		return fmt.Errorf("published port %d/%s: descriptor %d is a socket of type %d: %w", l.Port, l.Proto, l.FD, typ, errdefs.ErrInvalidArgument)
	}
	return nil
}

// Mode is the network's mode.
func (n *Network) Mode() string { return n.mode }

// Close releases the inherited descriptors. Sockets are closed one by one by
// whoever opened them.
func (n *Network) Close() error {
	var errs []error
	for _, l := range n.config.Published {
		errs = append(errs, unix.Close(l.FD))
	}
	n.config.Published = nil
	n.ports.published = nil
	return errors.Join(append(errs, n.closeRoutes())...)
}

func (n *Network) closeRoutes() error {
	if n.routes == nil {
		return nil
	}
	defer func() { n.routes = nil }()
	return n.routes.close()
}

// Open makes a socket (socket(2)). Mode "none" answers unix.EACCES.
func (n *Network) Open(f Family, t Type) (*Socket, error) {
	if n.mode == ModeNone {
		return nil, unix.EACCES
	}
	domain, typ := unix.AF_INET, unix.SOCK_STREAM
	if f == IPv6 {
		domain = unix.AF_INET6
	}
	if t == Datagram {
		typ = unix.SOCK_DGRAM
	}
	if n.sockets >= maxSockets {
		return nil, unix.EMFILE
	}
	fd, err := unix.Socket(domain, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return n.count(&Socket{net: n, family: f, typ: t, fd: fd, sysFamily: f}), nil
}

// Preopened are the published TCP listeners as listening sockets, for the guest
// to find in its descriptor table; none without Config.Preopen.
func (n *Network) Preopened() ([]*Socket, error) {
	if !n.config.Preopen || n.mode == ModeNone {
		return nil, nil
	}
	var out []*Socket
	for _, l := range n.config.Published {
		if l.Proto != TCP {
			continue
		}
		s, err := n.preopen(l)
		if err != nil {
			for _, s := range out {
				s.Close()
			}
			return nil, fmt.Errorf("handing over the listener of port %d: %w", l.Port, err)
		}
		out = append(out, s)
	}
	return out, nil
}
