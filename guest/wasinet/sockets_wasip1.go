package wasinet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// backlog is how many connections may wait to be accepted; a host may cap it.
const backlog = 1024

// Listen opens a TCP listener. The networks are "tcp", "tcp4" and "tcp6"; the
// address is HOST:PORT, where HOST is an IP address or localhost, and without one
// every address of the program is listened on, IPv6 too where the host has it.
func Listen(network, address string) (net.Listener, error) {
	addrs, sotype, err := resolve(context.Background(), network, address, ownAddresses)
	if err == nil && sotype != typeStream {
		err = net.UnknownNetworkError(network)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	for _, ap := range addrs {
		var l net.Listener
		if l, err = listenOn(network, ap); err == nil {
			return l, nil
		}
		err = &net.OpError{Op: "listen", Net: network, Addr: net.TCPAddrFromAddrPort(ap), Err: err}
	}
	return nil, err
}

func listenOn(network string, ap netip.AddrPort) (net.Listener, error) {
	fd, err := openSocket(familyOf(ap.Addr()), typeStream)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), network)
	defer f.Close() // the listener holds a reference of its own
	setReuseAddr(fd)
	if err := bind(fd, ap); err != nil {
		return nil, err
	}
	if err := listen(fd, backlog); err != nil {
		return nil, err
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		l.Close()
		return nil, errors.New("the host's socket is no TCP listener")
	}
	if at, err := localAddress(fd); err == nil {
		ap = at // port 0 became a real one
	}
	return &listener{tcp, net.TCPAddrFromAddrPort(ap)}, nil
}

// listener is Go's own with the address it listens on, which Go can't ask for.
type listener struct {
	*net.TCPListener
	addr net.Addr
}

func (l *listener) Addr() net.Addr { return l.addr }

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return withAddresses(c, netip.AddrPort{}), nil
}

// tcpConn and udpConn are Go's own with their addresses.
type tcpConn struct {
	*net.TCPConn
	local, remote net.Addr
}

func (c *tcpConn) LocalAddr() net.Addr  { return c.local }
func (c *tcpConn) RemoteAddr() net.Addr { return c.remote }

type udpConn struct {
	*net.UDPConn
	local, remote net.Addr
}

func (c *udpConn) LocalAddr() net.Addr  { return c.local }
func (c *udpConn) RemoteAddr() net.Addr { return c.remote }

// withAddresses asks the host for both ends' addresses, once. A host that
// doesn't tell leaves the remote one as given and the local one zero.
func withAddresses(c net.Conn, remote netip.AddrPort) net.Conn {
	var local netip.AddrPort
	if raw, err := c.(syscall.Conn).SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			if ap, err := localAddress(int(fd)); err == nil {
				local = ap
			}
			if ap, err := peerAddress(int(fd)); err == nil {
				remote = ap
			}
		})
	}
	switch c := c.(type) {
	case *net.TCPConn:
		return &tcpConn{c, net.TCPAddrFromAddrPort(local), net.TCPAddrFromAddrPort(remote)}
	case *net.UDPConn:
		return &udpConn{c, net.UDPAddrFromAddrPort(local), net.UDPAddrFromAddrPort(remote)}
	}
	return c
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	addrs, sotype, err := resolve(ctx, network, address, peerAddresses)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	for _, ap := range addrs {
		var c net.Conn
		if c, err = dialTo(ctx, network, sotype, ap); err == nil {
			return c, nil
		}
		var to net.Addr = net.TCPAddrFromAddrPort(ap)
		if sotype == typeDatagram {
			to = net.UDPAddrFromAddrPort(ap)
		}
		err = &net.OpError{Op: "dial", Net: network, Addr: to, Err: err}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

func dialTo(ctx context.Context, network string, sotype uint32, ap netip.AddrPort) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	fd, err := openSocket(familyOf(ap.Addr()), sotype)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), network)
	defer f.Close() // the connection holds a reference of its own
	connecting := connect(fd, ap)
	if connecting != nil && !errors.Is(connecting, syscall.EINPROGRESS) && !errors.Is(connecting, syscall.EAGAIN) {
		return nil, connecting
	}
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	if connecting != nil {
		if err := awaitConnected(ctx, c); err != nil {
			c.Close()
			return nil, err
		}
	}
	return withAddresses(c, ap), nil
}

// awaitConnected waits in Go's poller until the host says that the connection
// stands or failed, or ctx ends.
func awaitConnected(ctx context.Context, c net.Conn) error {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { c.SetWriteDeadline(time.Unix(1, 0)) })
	waited := false
	var failed error
	err = raw.Write(func(fd uintptr) (done bool) {
		if !waited {
			waited = true
			return false
		}
		if failed = socketError(int(fd)); failed != nil {
			return true
		}
		_, peer := peerAddress(int(fd))
		return !errors.Is(peer, syscall.ENOTCONN)
	})
	if !stop() {
		return ctx.Err()
	}
	if failed != nil {
		return failed
	}
	return err
}
