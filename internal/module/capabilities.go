package module

import "slices"

// capabilities maps imports of wasi_snapshot_preview1, with WasmEdge's
// sockets, to what they let a guest do, in the order of the list a user
// reads. Arguments, output, random numbers and files are not told: they reach
// nothing beyond the container, whose files are its own until the user mounts
// some, and nearly every toolchain links them into every program.
var capabilities = []struct {
	word  string
	funcs []string
}{
	{"listen", []string{"sock_listen", "sock_listen_v2", "sock_bind", "sock_bind_v2"}},
	{"accept", []string{"sock_accept", "sock_accept_v2"}},
	{"connect", []string{"sock_connect", "sock_connect_v2", "sock_send_to", "sock_send_to_v2"}},
	{"resolve names", []string{"sock_getaddrinfo"}},
	{"read clock", []string{"clock_time_get"}},
}

// Capabilities lists in human words what the module could do to the world by
// what it imports: "listen", "connect", "read clock" and so on. What it may do
// is up to the container that runs it.
func (i *Info) Capabilities() []string {
	var out []string
	for _, c := range capabilities {
		if !i.importsAny(c.funcs) || c.word == "accept" && slices.Contains(out, "listen") {
			continue
		}
		out = append(out, c.word)
	}
	return out
}

// CanListen reports whether the module could serve a published port: by
// WasmEdge's socket imports, or by accepting on a pre-opened listener.
func (i *Info) CanListen() bool {
	return i.importsAny(capabilities[0].funcs) || i.importsAny(capabilities[1].funcs)
}

// CanOpenSockets reports whether the module can make listeners of its own.
// Without, it can only serve ports that are handed to it pre-opened
// (annotation wherry.listen=preopen).
func (i *Info) CanOpenSockets() bool {
	return i.importsAny([]string{"sock_open", "sock_open_v2"})
}

// WhyDeaf tells why nothing will answer on a port that is published for the
// module, in words that follow "but", or is empty. preopen says that it gets
// listeners pre-opened.
func (i *Info) WhyDeaf(preopen bool) string {
	switch {
	case !i.CanListen():
		return "the module imports no socket function: nothing will answer there"
	case !i.CanOpenSockets() && !preopen:
		return "the module cannot open sockets of its own, only take open ones: run it with --annotation wherry.listen=preopen, or nothing will answer there"
	}
	return ""
}

func (i *Info) importsAny(funcs []string) bool {
	_, ok := i.findImport(func(im Import) bool {
		return im.Module == Preview1 && im.Kind == Func && slices.Contains(funcs, im.Name)
	})
	return ok
}
