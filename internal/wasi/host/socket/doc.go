// Package socket gives a guest its network: sockets, the policy that says what
// they reach, and name resolution.
//
// A guest's loopback is its own. In private mode whatever it sends to 127/8,
// ::1, the unspecified addresses, their IPv4-mapped forms or an address of the
// host itself reaches only sockets that this same guest listens on, through
// memory or an unnamed socket pair: never a service of the host, and no process
// of the host can reach in. The world outside reaches the guest only through
// published listeners, which the container's owner bound before the guest ran.
//
// Sockets are raw descriptors; waiting is poll(2) in the calling thread. All
// descriptors opened here are non-blocking and waiting is added where the guest
// wants it. Inherited descriptors are shared with the parent: neither their
// flags nor their state is changed.
//
// The package knows nothing of WASI's numbers and layouts, nor of guest memory
// beyond the buffers it is handed. A Network and its sockets belong to one
// guest, and are used by one goroutine at a time.
package socket
