//go:build linux

package shim

import (
	"errors"
	"flag"
	"io"
)

// Name is the runtime's name in messages and in -info.
const Name = "io.containerd.wherry.v1"

// options are the shim's command line, as containerd gives it
// (containerd pkg/shim).
type options struct {
	namespace, id, bundle string
	// address is containerd's own socket; the shim's sockets lie beside it.
	address                string
	debug, version, info   bool
	socket, publishProgram string
	action                 string
}

func parseOptions(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet(Name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.namespace, "namespace", "", "namespace that owns the shim")
	f.StringVar(&o.id, "id", "", "id of the task")
	f.StringVar(&o.bundle, "bundle", "", "path to the bundle if not the working directory")
	f.StringVar(&o.address, "address", "", "containerd's own address")
	f.StringVar(&o.publishProgram, "publish-binary", "", "ignored: events go to TTRPC_ADDRESS")
	f.StringVar(&o.socket, "socket", "", "ignored: the socket is inherited")
	f.BoolVar(&o.debug, "debug", false, "log more")
	f.BoolVar(&o.version, "v", false, "print the version and exit")
	f.BoolVar(&o.info, "info", false, "print the runtime's description as protobuf and exit")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.action = f.Arg(0)
	switch {
	case o.version || o.info:
	case o.namespace == "":
		return o, errors.New("no -namespace given: this program is started by containerd or wherry")
	case o.id == "":
		return o, errors.New("no -id given: this program is started by containerd or wherry")
	}
	return o, nil
}
