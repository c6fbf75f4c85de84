package cli

import (
	"strings"
	"testing"
)

func TestFindPaths(t *testing.T) {
	long := "/" + strings.Repeat("x", 100)
	for _, tt := range []struct {
		name string
		env  map[string]string
		uid  int
		want paths
		bad  string
	}{
		{name: "root", uid: 0, env: map[string]string{"HOME": "/root"},
			want: paths{"/var/lib/wherry", "/run/wherry", "/run/wherry/docker.sock"}},
		{name: "root in a login session", uid: 0, env: map[string]string{"HOME": "/root", "XDG_RUNTIME_DIR": "/run/user/0"},
			want: paths{"/var/lib/wherry", "/run/wherry", "/run/wherry/docker.sock"}},
		{name: "root with folders of its own", uid: 0, env: map[string]string{"XDG_DATA_HOME": "/d", "XDG_RUNTIME_DIR": "/r"},
			want: paths{"/d/wherry", "/r/wherry", "/r/wherry/docker.sock"}},
		{name: "user", uid: 7, env: map[string]string{"HOME": "/home/u", "XDG_DATA_HOME": "/d", "XDG_RUNTIME_DIR": "/run/user/7"},
			want: paths{"/d/wherry", "/run/user/7/wherry", "/run/user/7/wherry/docker.sock"}},
		{name: "user with a home only", uid: 7, env: map[string]string{"HOME": "/home/u"},
			want: paths{"/home/u/.local/share/wherry", "/home/u/.local/share/wherry/run", "/home/u/.local/share/wherry/run/docker.sock"}},
		{name: "user with a home too deep for a socket", uid: 7, env: map[string]string{"HOME": long},
			want: paths{long + "/.local/share/wherry", "/tmp/wherry-7", "/tmp/wherry-7/docker.sock"}},
		{name: "runtime folder too deep", uid: 7, env: map[string]string{"HOME": "/h", "XDG_RUNTIME_DIR": long}, bad: "shorter folder"},
		{name: "no home", uid: 7, bad: "set HOME"},
		{name: "relative", uid: 7, env: map[string]string{"HOME": "/h", "XDG_DATA_HOME": "d"}, bad: "absolute path"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := findPaths(func(k string) string { return tt.env[k] }, tt.uid, "/tmp")
			if tt.bad != "" {
				if err == nil || !strings.Contains(err.Error(), tt.bad) {
					t.Errorf("error %v, want %q in it", err, tt.bad)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func TestSocketOf(t *testing.T) {
	if got, err := socketOf("unix:///run/x/../y.sock"); err != nil || got != "/run/y.sock" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, host := range []string{"tcp://127.0.0.1:1", "unix://rel.sock", "/run/y.sock", "unix:///" + strings.Repeat("x", 107)} {
		if got, err := socketOf(host); err == nil {
			t.Errorf("%s gives %q, want an error", host, got)
		}
	}
}
