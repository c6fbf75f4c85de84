package mounts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
)

// show is a mount in a line.
func show(w Wanted) string {
	s := fmt.Sprintf("%s %s%s:%s", w.Type, w.Name, w.Source, w.Destination)
	for _, flag := range []struct {
		word string
		set  bool
	}{{"ro", !w.RW}, {"anonymous", w.Anonymous}, {"must-exist", w.MustExist}, {"nocopy", w.NoCopy}} {
		if flag.set {
			s += " " + flag.word
		}
	}
	if w.Size > 0 {
		s += fmt.Sprintf(" size=%d", w.Size)
	}
	return s
}

func TestParse(t *testing.T) {
	for name, tt := range map[string]struct {
		c    container.Config
		h    container.HostConfig
		want string // lines, or the error
	}{
		"bind":                 {h: container.HostConfig{Binds: []string{"/a:/b"}}, want: "bind /a:/b"},
		"bind read-only":       {h: container.HostConfig{Binds: []string{"/a:/b:ro"}}, want: "bind /a:/b ro"},
		"volume":               {h: container.HostConfig{Binds: []string{"v:/b:nocopy"}}, want: "volume v:/b nocopy"},
		"anonymous":            {h: container.HostConfig{Binds: []string{"/b"}}, want: "volume :/b anonymous"},
		"an image's volume":    {c: container.Config{Volumes: map[string]struct{}{"/b/": {}}}, want: "volume :/b anonymous"},
		"given way":            {c: container.Config{Volumes: map[string]struct{}{"/b": {}}}, h: container.HostConfig{Binds: []string{"/a:/b/"}}, want: "bind /a:/b"},
		"mount":                {h: container.HostConfig{Mounts: []mount.Mount{{Type: "bind", Source: "/a", Target: "/b", ReadOnly: true}}}, want: "bind /a:/b ro must-exist"},
		"mount a volume":       {h: container.HostConfig{Mounts: []mount.Mount{{Type: "volume", Target: "/b"}}}, want: "volume :/b anonymous"},
		"tmpfs":                {h: container.HostConfig{Tmpfs: map[string]string{"/t": "rw,size=64k,mode=1777"}}, want: "tmpfs :/t size=65536"},
		"mount a tmpfs":        {h: container.HostConfig{Mounts: []mount.Mount{{Type: "tmpfs", Target: "/t", TmpfsOptions: &mount.TmpfsOptions{SizeBytes: 5}}}}, want: "tmpfs :/t size=5"},
		"twice":                {h: container.HostConfig{Binds: []string{"/a:/b", "/c:/b/."}}, want: "Duplicate mount point: /b"},
		"the root":             {h: container.HostConfig{Binds: []string{"/a:/x/.."}}, want: "destination can't be '/'"},
		"relative destination": {h: container.HostConfig{Binds: []string{"/a:b"}}, want: "must be absolute"},
		"empty source":         {h: container.HostConfig{Binds: []string{":/b"}}, want: "invalid volume specification"},
		"too many parts":       {h: container.HostConfig{Binds: []string{"/a:/b:ro:x"}}, want: "invalid volume specification"},
		"unknown option":       {h: container.HostConfig{Binds: []string{"/a:/b:fast"}}, want: "invalid mode: fast"},
		"nocopy of a bind":     {h: container.HostConfig{Binds: []string{"/a:/b:nocopy"}}, want: "nocopy is of volumes"},
		"relative mount":       {h: container.HostConfig{Mounts: []mount.Mount{{Type: "bind", Source: "a", Target: "/b"}}}, want: "must be absolute"},
		"unknown type":         {h: container.HostConfig{Mounts: []mount.Mount{{Type: "cluster", Source: "a", Target: "/b"}}}, want: "there are bind, volume and tmpfs"},
		"subpath outside":      {h: container.HostConfig{Mounts: []mount.Mount{{Type: "volume", Source: "v", Target: "/b", VolumeOptions: &mount.VolumeOptions{Subpath: "../x"}}}}, want: "relative path inside"},
		"tmpfs option":         {h: container.HostConfig{Tmpfs: map[string]string{"/t": "huge"}}, want: "invalid tmpfs option"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := Parse(&tt.c, &tt.h)
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("answers %v, want %q", err, tt.want)
				}
				return
			}
			var lines []string
			for _, w := range all {
				lines = append(lines, show(w))
			}
			if got := strings.Join(lines, "\n"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzParseBind(f *testing.F) {
	for _, s := range []string{"/a:/b", "v:/b:ro,nocopy", "/b", ":", "::", "/a:/b:z,rprivate"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		all, err := Parse(&container.Config{}, &container.HostConfig{Binds: []string{s}})
		if err == nil && (len(all) != 1 || !strings.HasPrefix(all[0].Destination, "/") || all[0].Destination == "/") {
			t.Errorf("%q became %+v", s, all)
		}
	})
}

func TestFill(t *testing.T) {
	tree := t.TempDir()
	if err := os.MkdirAll(filepath.Join(tree, "real", "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "real", "sub", "f"), []byte("x"), 0o640); err != nil {
		t.Fatal(err)
	}
	// An absolute link, as images have them, resolves inside the tree.
	if err := os.Symlink("/real", filepath.Join(tree, "data")); err != nil {
		t.Fatal(err)
	}
	volume := t.TempDir()
	if copied, err := Fill(volume, tree, "/data"); err != nil || !copied {
		t.Fatalf("copied %v: %v", copied, err)
	}
	if b, err := os.ReadFile(filepath.Join(volume, "sub", "f")); err != nil || string(b) != "x" {
		t.Errorf("%q %v", b, err)
	}
	if copied, err := Fill(volume, tree, "/data"); err != nil || copied {
		t.Errorf("a volume with files was filled again: %v", err)
	}
	if copied, err := Fill(t.TempDir(), tree, "/nothing"); err != nil || copied {
		t.Errorf("nothing to copy: %v %v", copied, err)
	}
	if _, err := Fill(t.TempDir(), tree, "/real/sub/f"); err == nil {
		t.Error("a volume over a file was taken")
	}
}
