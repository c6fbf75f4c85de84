package unpack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/klauspost/compress/zstd"
	digest "github.com/opencontainers/go-digest"
)

// ent is an entry of a test's archive.
type ent struct {
	name, body string
	kind       byte
	mode       int64
	link       string
}

func archive(t testing.TB, entries ...ent) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: e.mode, Linkname: e.link}
		if h.Typeflag == 0 {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(e.body))
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// of makes a layer of bytes with right digests.
func of(packed, plain []byte) Layer {
	return Layer{
		Digest: digest.FromBytes(packed), DiffID: digest.FromBytes(plain),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed)), nil },
	}
}

func layers(archives ...[]byte) []Layer {
	var out []Layer
	for _, a := range archives {
		out = append(out, of(a, a))
	}
	return out
}

// listing names all files below dir, folders with a slash, links with their
// bodies.
func listing(t testing.TB, dir string) string {
	t.Helper()
	var out []string
	if err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		switch {
		case d.IsDir():
			rel += "/"
		case d.Type()&fs.ModeSymlink != 0:
			body, err := os.Readlink(p)
			if err != nil {
				return err
			}
			rel += "->" + body
		}
		out = append(out, rel)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestLayers(t *testing.T) {
	dir, link, hard := byte(tar.TypeDir), byte(tar.TypeSymlink), byte(tar.TypeLink)
	for name, c := range map[string]struct {
		layers []Layer
		want   string
	}{
		"files":              {layers(archive(t, ent{name: "a/b/c", body: "x"}, ent{name: "/abs", body: "y"}, ent{name: "./dot"})), "a/ a/b/ a/b/c abs dot"},
		"whiteout":           {layers(archive(t, ent{name: "a/x"}, ent{name: "a/y"}), archive(t, ent{name: "a/.wh.x"})), "a/ a/y"},
		"whiteout folder":    {layers(archive(t, ent{name: "a/x"}), archive(t, ent{name: ".wh.a"})), ""},
		"whiteout nothing":   {layers(archive(t, ent{name: ".wh.a"})), ""},
		"opaque":             {layers(archive(t, ent{name: "a/x"}, ent{name: "a/d/y"}), archive(t, ent{name: "a/new"}, ent{name: "a/d/z"}, ent{name: "a/.wh..wh..opq"})), "a/ a/d/ a/d/z a/new"},
		"own stays":          {layers(archive(t, ent{name: "x"}, ent{name: ".wh.x"})), "x"},
		"aufs metadata":      {layers(archive(t, ent{name: ".wh..wh.plnk/1.2"}, ent{name: ".wh..wh.aufs"})), ".wh..wh.plnk/ .wh..wh.plnk/1.2"},
		"file over folder":   {layers(archive(t, ent{name: "a/x"}), archive(t, ent{name: "a"})), "a"},
		"folder over file":   {layers(archive(t, ent{name: "a"}), archive(t, ent{name: "a", kind: dir, mode: 0o755}, ent{name: "a/x"})), "a/ a/x"},
		"folder over link":   {layers(archive(t, ent{name: "a", kind: link, link: "/etc"}), archive(t, ent{name: "a", kind: dir, mode: 0o755})), "a/"},
		"link kept":          {layers(archive(t, ent{name: "a", kind: link, link: "/etc/passwd"}, ent{name: "b", kind: link, link: "../../x"})), "a->/etc/passwd b->../../x"},
		"file through link":  {layers(archive(t, ent{name: "usr/lib/", kind: dir, mode: 0o755}, ent{name: "lib", kind: link, link: "/usr/lib"}), archive(t, ent{name: "lib/x"})), "lib->/usr/lib usr/ usr/lib/ usr/lib/x"},
		"link out, followed": {layers(archive(t, ent{name: "a", kind: link, link: "../../../../tmp/wherry-out"}), archive(t, ent{name: "a/x"})), "a->../../../../tmp/wherry-out tmp/ tmp/wherry-out/ tmp/wherry-out/x"},
		"hard link":          {layers(archive(t, ent{name: "a", body: "x"}, ent{name: "b/c", kind: hard, link: "/a"})), "a b/ b/c"},
		"hard link to link":  {layers(archive(t, ent{name: "a", kind: link, link: "/etc"}, ent{name: "b", kind: hard, link: "a"})), "a->/etc b->/etc"},
		"devices":            {layers(archive(t, ent{name: "dev/null", kind: tar.TypeChar}, ent{name: "p", kind: tar.TypeFifo})), "dev/"},
		"root":               {layers(archive(t, ent{name: "./", kind: dir, mode: 0o755}, ent{name: "x"})), "x"},
		"empty":              {layers(archive(t)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := Layers(context.Background(), dir, c.layers, Limits{}); err != nil {
				t.Fatal(err)
			}
			if got := listing(t, dir); got != c.want {
				t.Errorf("unpacked to %q, want %q", got, c.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	link, hard := byte(tar.TypeSymlink), byte(tar.TypeLink)
	ok := archive(t, ent{name: "x", body: "x"})
	deep := strings.Repeat("folder/", 400) + "end"
	for name, c := range map[string]struct {
		layer Layer
		is    error
		text  string
	}{
		"climbs":          {layers(archive(t, ent{name: "../x"}))[0], errdefs.ErrInvalidArgument, "leads out"},
		"climbs inside":   {layers(archive(t, ent{name: "a/../../x"}))[0], errdefs.ErrInvalidArgument, "leads out"},
		"hard link out":   {layers(archive(t, ent{name: "a", kind: hard, link: "../../etc/passwd"}))[0], errdefs.ErrInvalidArgument, "leads out"},
		"hard link lost":  {layers(archive(t, ent{name: "a", kind: hard, link: "b"}))[0], errdefs.ErrInvalidArgument, "not there"},
		"hard link host":  {layers(archive(t, ent{name: "etc", kind: link, link: "/host/etc"}, ent{name: "a", kind: hard, link: "etc/passwd"}))[0], errdefs.ErrInvalidArgument, "not there"},
		"link loop":       {layers(archive(t, ent{name: "a", kind: link, link: "b"}, ent{name: "b", kind: link, link: "a"}, ent{name: "a/x"}))[0], errdefs.ErrInvalidArgument, "symbolic links"},
		"deep by a link":  {layers(archive(t, ent{name: "l", kind: link, link: deep}, ent{name: "l/x"}, ent{name: "l/" + deep + "/x"}))[0], errdefs.ErrInvalidArgument, "more than 4096 bytes"},
		"below a file":    {layers(archive(t, ent{name: "a"}, ent{name: "a/x"}))[0], errdefs.ErrInvalidArgument, "not a folder"},
		"whiteout of dot": {layers(archive(t, ent{name: ".wh.."}))[0], errdefs.ErrInvalidArgument, "names nothing"},
		"whiteout of up":  {layers(archive(t, ent{name: "a/.wh..."}))[0], errdefs.ErrInvalidArgument, "names nothing"},
		"not a tar":       {layers([]byte(strings.Repeat("no tar ", 200)))[0], ErrCorrupt, "corrupt"},
		"cut tar":         {layers(archive(t, ent{name: "x", body: strings.Repeat("x", 5000)})[:2000])[0], ErrCorrupt, "corrupt"},
		"wrong digest":    {Layer{Digest: digest.FromString("other"), DiffID: digest.FromBytes(ok), Open: of(ok, ok).Open}, ErrCorrupt, "has the digest"},
		"wrong diff_id":   {Layer{Digest: digest.FromBytes(ok), DiffID: digest.FromString("other"), Open: of(ok, ok).Open}, ErrCorrupt, "the image says"},
		"no digest":       {Layer{Digest: "sha256:x", Open: of(ok, ok).Open}, errdefs.ErrInvalidArgument, "is not a digest"},
		"cut gzip":        {layers(gz(t, ok)[:20])[0], ErrCorrupt, "corrupt"},
		"cut zstd":        {layers(zst(t, ok)[:10])[0], ErrCorrupt, "corrupt"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := Layers(context.Background(), dir, []Layer{c.layer}, Limits{})
			if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error = %v; want one with %q", err, c.text)
			}
		})
	}
}

func gz(t testing.TB, b []byte) []byte {
	t.Helper()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

func zst(t testing.TB, b []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(b, nil)
}

func TestCompressed(t *testing.T) {
	plain := archive(t, ent{name: "app.wasm", body: "\x00asm\x01\x00\x00\x00"}, ent{name: "text", body: "x"})
	for name, packed := range map[string][]byte{"plain": plain, "gzip": gz(t, plain), "zstd": zst(t, plain)} {
		dir := t.TempDir()
		res, err := Layers(context.Background(), dir, []Layer{of(packed, plain)}, Limits{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := res.Digests["/app.wasm"]; d != digest.FromString("\x00asm\x01\x00\x00\x00") || len(res.Digests) != 1 || res.Size != 9 || res.Entries != 2 {
			t.Errorf("%s: %+v", name, res)
		}
	}
}

func TestDigestsFollowFiles(t *testing.T) {
	const module = "\x00asm\x01\x00\x00\x00"
	ls := layers(
		archive(t, ent{name: "a/x.wasm", body: module}, ent{name: "b.wasm", body: module}, ent{name: "plain", body: module}),
		archive(t, ent{name: "c.wasm", kind: tar.TypeLink, link: "b.wasm"}, ent{name: ".wh.a"}, ent{name: "b.wasm", body: "changed"}),
	)
	res, err := Layers(context.Background(), t.TempDir(), ls, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]digest.Digest{"/b.wasm": digest.FromString("changed"), "/c.wasm": digest.FromString(module), "/plain": digest.FromString(module)}
	if len(res.Digests) != len(want) {
		t.Errorf("digests = %v, want %v", res.Digests, want)
	}
	for p, d := range want {
		if res.Digests[p] != d {
			t.Errorf("%s has %s, want %s", p, res.Digests[p], d)
		}
	}
}

func TestModes(t *testing.T) {
	dir := t.TempDir()
	ls := layers(archive(t, ent{name: "setuid", mode: 0o4755}, ent{name: "secret", mode: 0o020}, ent{name: "d", kind: tar.TypeDir, mode: 0o1}, ent{name: "d/x"}))
	if _, err := Layers(context.Background(), dir, ls, Limits{}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"setuid": 0o755, "secret": 0o620, "d": fs.ModeDir | 0o701, "d/x": 0o644} {
		fi, err := os.Lstat(filepath.Join(dir, name))
		if err != nil || fi.Mode() != want {
			t.Errorf("%s has %v, %v; want %v", name, fi.Mode(), err, want)
		}
	}
}

func TestLimits(t *testing.T) {
	many := make([]ent, 50)
	for i := range many {
		many[i].name = strings.Repeat("x", i+1)
	}
	deep := make([]ent, 20)
	for i := range deep {
		deep[i].name = strings.Repeat("d/", 2000) + strings.Repeat("x", i+1)
		if i%2 == 1 {
			deep[i].name = "e/" + deep[i].name
		}
	}
	bomb := archive(t, ent{name: "zeros", body: strings.Repeat("\x00", 1<<20)})
	for name, c := range map[string]struct {
		layer  Layer
		limits Limits
	}{
		"bytes":   {layers(archive(t, ent{name: "a", body: strings.Repeat("a", 600)}, ent{name: "b", body: strings.Repeat("b", 600)}))[0], Limits{Bytes: 1000}},
		"entries": {layers(archive(t, many...))[0], Limits{Entries: 49}},
		"ratio":   {of(gz(t, bomb), bomb), Limits{Ratio: 100, Free: 64 << 10}},
		"holes":   {layers(sparse(t, "zeros", 1<<30))[0], Limits{Free: 1 << 20}},
		"implied": {layers(archive(t, ent{name: strings.Repeat("d/", 50) + "x"}))[0], Limits{Entries: 50}},
		"names":   {layers(archive(t, many...))[0], Limits{Names: 1000}},
		"deep":    {layers(archive(t, deep...))[0], Limits{Entries: 10_000, Steps: 20_000}},
	} {
		if _, err := Layers(context.Background(), t.TempDir(), []Layer{c.layer}, c.limits); !errors.Is(err, ErrLimit) || !errdefs.IsResourceExhausted(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Layers(context.Background(), t.TempDir(), []Layer{of(gz(t, bomb), bomb)}, Limits{}); err != nil {
		t.Errorf("a small image of zeros is no bomb: %v", err)
	}
}
