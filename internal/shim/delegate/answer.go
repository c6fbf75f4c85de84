package delegate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// address is where a shim serves, and how.
type address struct {
	Version  int    `json:"version"`
	Address  string `json:"address"`
	Protocol string `json:"protocol"`
}

// Fields of containerd.runtime.bootstrap.v1.BootstrapResult (containerd's
// api/runtime/bootstrap/v1/bootstrap.proto).
const (
	fieldVersion  = 1
	fieldAddress  = 2
	fieldProtocol = 3
)

// parse reads what a shim says at its start: a message since containerd 2.3,
// JSON since 1.7, and the bare address before.
func parse(out []byte) (a address, err error) {
	if a, ok := parseMessage(out); ok {
		return a, a.check()
	}
	text := bytes.TrimSpace(out)
	if json.Unmarshal(text, &a) != nil || a.Version < 2 {
		a = address{Version: 2, Address: string(text), Protocol: "ttrpc"}
	}
	return a, a.check()
}

func parseMessage(out []byte) (a address, ok bool) {
	for len(out) > 0 {
		field, typ, n := protowire.ConsumeTag(out)
		if n < 0 {
			return a, false
		}
		out = out[n:]
		switch {
		case field == fieldVersion && typ == protowire.VarintType:
			v, n := protowire.ConsumeVarint(out)
			if n < 0 {
				return a, false
			}
			a.Version, out = int(int32(v)), out[n:]
		case (field == fieldAddress || field == fieldProtocol) && typ == protowire.BytesType:
			v, n := protowire.ConsumeString(out)
			if n < 0 {
				return a, false
			}
			if out = out[n:]; field == fieldAddress {
				a.Address = v
			} else {
				a.Protocol = v
			}
		default:
			n := protowire.ConsumeFieldValue(field, typ, out)
			if n < 0 {
				return a, false
			}
			out = out[n:]
		}
	}
	return a, a.Address != ""
}

// service is the name of the task API of each version of the protocol.
var service = map[int]string{2: "containerd.task.v2.Task", 3: "containerd.task.v3.Task"}

func (a address) check() error {
	switch {
	case service[a.Version] == "" || a.Protocol != "ttrpc":
		return fmt.Errorf("it speaks %s version %d, wanted ttrpc version 2 or 3", a.Protocol, a.Version)
	case !strings.HasPrefix(a.Address, "unix://"):
		return fmt.Errorf("it serves at %q, wanted a unix:// address", a.Address)
	}
	return nil
}

func (a address) path() string { return strings.TrimPrefix(a.Address, "unix://") }
