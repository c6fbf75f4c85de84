package delegate

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is what a shim of containerd 2.3 and later says.
func message(version uint64, path, protocol string) []byte {
	b := protowire.AppendVarint(protowire.AppendTag(nil, fieldVersion, protowire.VarintType), version)
	b = protowire.AppendString(protowire.AppendTag(b, fieldAddress, protowire.BytesType), path)
	return protowire.AppendString(protowire.AppendTag(b, fieldProtocol, protowire.BytesType), protocol)
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		out  string
		want address
	}{
		"bare":    {"unix:///run/s/1\n", address{2, "unix:///run/s/1", "ttrpc"}},
		"json":    {`{"version":3,"address":"unix:///run/s/2","protocol":"ttrpc"}`, address{3, "unix:///run/s/2", "ttrpc"}},
		"message": {string(message(3, "unix:///run/s/3", "ttrpc")), address{3, "unix:///run/s/3", "ttrpc"}},
	} {
		if got, err := parse([]byte(c.out)); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, out := range []string{"", "hello", `{"version":4,"address":"unix:///x","protocol":"ttrpc"}`,
		string(message(3, "vsock://3:1", "ttrpc")), string(message(3, "unix:///x", "grpc")), "\x12\xff"} {
		if got, err := parse([]byte(out)); err == nil {
			t.Errorf("%q was taken for %+v", out, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("unix:///run/s/1"))
	f.Add([]byte(`{"version":3,"address":"unix:///run/s/2","protocol":"ttrpc"}`))
	f.Add(message(3, "unix:///run/s/3", "ttrpc"))
	f.Fuzz(func(t *testing.T, out []byte) {
		if a, err := parse(out); err == nil && (a.path() == a.Address || service[a.Version] == "") {
			t.Errorf("%q was taken for %+v", out, a)
		}
	})
}
