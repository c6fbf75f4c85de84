//go:build linux

package hostile

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"wherry/internal/testutil/wherry"
)

// evilMark is what the evil library prints, and evilCode how it ends a process.
const (
	evilMark = "EVIL"
	evilCode = 66
)

// evilLibrary compiles the library and proves that it bites.
func evilLibrary(t *testing.T, dir string) []byte {
	t.Helper()
	path := filepath.Join(dir, "evil.so")
	if _, stderr, code := wherry.Output(t, exec.Command("clang", "-shared", "-fPIC", "-o", path, "testdata/evil/evil.c")); code != 0 {
		t.Fatal(stderr)
	}
	cmd := exec.Command("/bin/true")
	cmd.Env = []string{"LD_PRELOAD=" + path}
	if _, stderr, code := wherry.Output(t, cmd); code != evilCode {
		t.Fatalf("a program into which the library is loaded ends with %d %s, want %d", code, stderr, evilCode)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// evilNodes put the library wherever a C library or a loader could look, and
// tell them to.
func evilNodes(library []byte) []node {
	list := []node{
		{"etc/ld.so.preload", file, "/lib/evil.so\n"},
		{"etc/nsswitch.conf", file, "passwd: evil\ngroup: evil\nhosts: evil\n"},
		{"etc/resolv.conf", file, "nameserver 127.0.0.1\n"},
		{"etc/host.conf", file, "multi on\n"},
		{"etc/gai.conf", file, "scopev4 ::ffff:127.0.0.0/104 1\n"},
		{"etc/ld.so.conf", file, "/lib\n"},
	}
	for _, name := range []string{"evil.so", "libnss_evil.so.2", "libnss_files.so.2", "libnss_dns.so.2", "libc.so.6", "libm.so.6", "libgcc_s.so.1",
		"libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "ld-linux-riscv64-lp64d.so.1"} {
		for _, dir := range []string{"lib", "lib64", "usr/lib", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu", "usr/lib/x86_64-linux-gnu"} {
			list = append(list, node{dir + "/" + name, file, string(library)})
		}
	}
	return list
}

// archive writes an image of nodes as `docker save` does, and gives its path.
// Its environment asks for the library too, by the image's path and the host's.
func archive(t *testing.T, name string, nodes []node, library string) string {
	t.Helper()
	layer := layer(t, nodes)
	digest := sha256.Sum256(layer)
	config := encode(t, map[string]any{
		"architecture": "wasm", "os": "wasip1",
		"config": map[string]any{
			"Entrypoint": []string{"/guest.wasm"},
			"Env":        []string{"LD_PRELOAD=/lib/evil.so:" + library, "LD_LIBRARY_PATH=/lib:/usr/lib", "LD_AUDIT=" + library, "GCONV_PATH=/lib", "LOCALDOMAIN=evil"},
		},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(digest[:])}},
	})
	manifest := encode(t, []map[string]any{{"Config": "config.json", "RepoTags": []string{name + ":latest"}, "Layers": []string{"layer.tar"}}})
	path := filepath.Join(t.TempDir(), "image.tar")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := tar.NewWriter(f)
	for _, part := range []struct {
		name string
		data []byte
	}{{"config.json", config}, {"layer.tar", layer}, {"manifest.json", manifest}} {
		add(t, w, &tar.Header{Typeflag: tar.TypeReg, Name: part.name, Mode: 0o644, Size: int64(len(part.data))}, part.data)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// layer packs nodes. Sockets and, for ordinary users, devices are left out.
func layer(t *testing.T, nodes []node) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, n := range nodes {
		h := &tar.Header{Name: n.path, Mode: 0o755}
		switch n.kind {
		case file:
			h.Typeflag, h.Size = tar.TypeReg, int64(len(n.body))
		case folder:
			h.Typeflag, h.Name = tar.TypeDir, n.path+"/"
		case link:
			h.Typeflag, h.Linkname = tar.TypeSymlink, n.body
		case hardLink:
			h.Typeflag, h.Linkname = tar.TypeLink, n.body
		case fifo:
			h.Typeflag = tar.TypeFifo
		case device:
			typ, number, err := n.device()
			if err != nil {
				t.Fatal(err)
			}
			h.Typeflag = tar.TypeChar
			if typ == unix.S_IFBLK {
				h.Typeflag = tar.TypeBlock
			}
			h.Devmajor, h.Devminor = int64(unix.Major(uint64(number))), int64(unix.Minor(uint64(number)))
		default:
			continue
		}
		add(t, w, h, []byte(n.body)[:h.Size])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func add(t *testing.T, w *tar.Writer, h *tar.Header, data []byte) {
	t.Helper()
	if err := w.WriteHeader(h); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
