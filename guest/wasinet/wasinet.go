// Package wasinet gives Go programs built for WASI preview 1 the network that
// package net lacks there: listeners, connections and name lookups on the
// WasmEdge sockets extension. net/http runs on it unchanged:
//
//	l, err := wasinet.Listen("tcp", ":8080")
//	err = http.Serve(l, handler)
//
//	client := &http.Client{Transport: &http.Transport{DialContext: wasinet.DialContext}}
//
// Connections are made by the host's socket calls and then handed to Go's own
// poller (os.NewFile, net.FileConn), so deadlines, contexts and many goroutines
// work as they do elsewhere. On every other system the same calls are package
// net's, so that a program compiles, runs and is tested natively too.
//
// It must know nothing of Wherry: it uses only the standard library, because
// `wherry init` copies these files into programs that know no other module.
package wasinet

import (
	"context"
	"net"
	"time"
)

// Dial connects to address as net.Dial does. The networks are "tcp", "tcp4",
// "tcp6", "udp", "udp4" and "udp6".
func Dial(network, address string) (net.Conn, error) {
	return DialContext(context.Background(), network, address)
}

// DialContext is Dial under a context. It fits http.Transport.DialContext.
func DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return (&Dialer{}).DialContext(ctx, network, address)
}

// Dialer connects with a bound on the time.
type Dialer struct {
	// Timeout bounds the connecting, names' lookup included where the host can
	// be interrupted; 0 means no bound of its own.
	Timeout time.Duration
}

// Dial is DialContext with the background context.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects to address, trying each address of a name in turn. The
// context bounds the connecting only, not the connection.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if d.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	return dial(ctx, network, address)
}
