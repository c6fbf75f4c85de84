package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const dockerLayer = "application/vnd.docker.image.rootfs.diff.tar.gzip"

// layer is a descriptor of a media type.
func layer(mediaType string, title ...string) ocispec.Descriptor {
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromString(mediaType), Size: 1}
	if len(title) > 0 {
		d.Annotations = map[string]string{ocispec.AnnotationTitle: title[0]}
	}
	return d
}

func manifest(config string, layers ...ocispec.Descriptor) ocispec.Manifest {
	return ocispec.Manifest{Config: ocispec.Descriptor{MediaType: config}, Layers: layers}
}

func config(t testing.TB, entrypoint []string, diffIDs int) []byte {
	t.Helper()
	c := ocispec.Image{Platform: ocispec.Platform{OS: "wasi", Architecture: "wasm"}, Config: ocispec.ImageConfig{Entrypoint: entrypoint}}
	for range diffIDs {
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, digest.FromString("x"))
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestClassify(t *testing.T) {
	oci := ocispec.MediaTypeImageConfig
	compat := manifest(oci, layer(ocispec.MediaTypeImageLayerGzip))
	compat.Annotations = map[string]string{AnnotationVariant: "compat"}
	cncf := []byte(`{"created":"2024-01-02T03:04:05Z","architecture":"wasm","os":"wasip2","layerDigests":[],"component":{"exports":[],"imports":[]}}`)
	for name, c := range map[string]struct {
		m      ocispec.Manifest
		config []byte
		kind   Kind
		layers int
		path   string
		os     string
	}{
		"plain":           {manifest(oci, layer(ocispec.MediaTypeImageLayerGzip)), config(t, nil, 1), Plain, 1, "", "wasi"},
		"docker":          {manifest("application/vnd.docker.container.image.v1+json", layer(dockerLayer)), config(t, nil, 1), Plain, 1, "", "wasi"},
		"zstd":            {manifest(oci, layer(ocispec.MediaTypeImageLayerZstd)), config(t, nil, 1), Plain, 1, "", "wasi"},
		"cncf":            {manifest(MediaTypeConfigV0, layer(MediaTypeWasm)), cncf, CNCF, 0, "/module.wasm", "wasip2"},
		"cncf titled":     {manifest(MediaTypeConfigV0, layer(MediaTypeWasm, "app.wasm")), cncf, CNCF, 0, "/app.wasm", "wasip2"},
		"hostile title":   {manifest(MediaTypeConfigV0, layer(MediaTypeWasm, "../../etc/x.wasm")), cncf, CNCF, 0, "/etc/x.wasm", "wasip2"},
		"useless title":   {manifest(MediaTypeConfigV0, layer(MediaTypeWasm, "../..")), cncf, CNCF, 0, "/module.wasm", "wasip2"},
		"wkg":             {manifest(MediaTypeConfigV1, layer(MediaTypeContent)), []byte(`{}`), Wkg, 0, "/module.wasm", "wasi"},
		"runwasi":         {manifest(oci, layer(MediaTypeWasm)), config(t, []string{"/hello.wasm"}, 0), WasmLayers, 0, "/hello.wasm", "wasi"},
		"runwasi diff_id": {manifest(oci, layer(MediaTypeComponent)), config(t, nil, 1), WasmLayers, 0, "/module.wasm", "wasi"},
		"runwasi files":   {manifest(oci, layer(ocispec.MediaTypeImageLayer), layer(MediaTypeWasm)), config(t, []string{"a.wasm#run"}, 2), WasmLayers, 1, "/a.wasm", "wasi"},
		"solo":            {manifest(MediaTypeSoloConfig, layer(MediaTypeSoloContent)), []byte(`{"os":"","architecture":""}`), Solo, 0, "/module.wasm", "wasi"},
		"solo compat":     {compat, config(t, nil, 1), SoloCompat, 1, "/plugin.wasm", "wasi"},
		"oras":            {manifest("application/vnd.oci.empty.v1+json", layer(MediaTypeWasm, "x.wasm")), []byte(`{}`), Bare, 0, "/x.wasm", "wasi"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Classify(c.m, c.config)
			if err != nil {
				t.Fatal(err)
			}
			if f.Kind != c.kind || len(f.Layers) != c.layers || f.Path != c.path || f.Config.OS != c.os || len(f.Config.RootFS.DiffIDs) != c.layers {
				t.Errorf("format = %v, %d layers, path %q, os %q, %d diff_ids", f.Kind, len(f.Layers), f.Path, f.Config.OS, len(f.Config.RootFS.DiffIDs))
			}
			if (f.Module != nil) != (c.kind != Plain && c.kind != SoloCompat) {
				t.Errorf("module = %v", f.Module)
			}
		})
	}
	for name, c := range map[string]struct {
		m      ocispec.Manifest
		config []byte
		want   string
	}{
		"two modules":   {manifest(MediaTypeConfigV0, layer(MediaTypeWasm), layer(MediaTypeWasm)), cncf, "has 2 Wasm layers; exactly one"},
		"no module":     {manifest(MediaTypeConfigV0), cncf, "has 0 Wasm layers"},
		"tar beside":    {manifest(MediaTypeConfigV0, layer(MediaTypeWasm), layer(ocispec.MediaTypeImageLayer)), cncf, "tar layer beside"},
		"not JSON":      {manifest(oci), []byte("x"), "not JSON"},
		"strange layer": {manifest(oci, layer("application/vnd.oci.image.layer.v1.tar+encrypted")), config(t, nil, 1), "can't unpack"},
		"diff_ids":      {manifest(oci, layer(dockerLayer)), config(t, nil, 3), "3 diff_ids for 1 layers"},
		"many layers":   {manifest(oci, make([]ocispec.Descriptor, 1000)...), config(t, nil, 0), "1000 layers"},
	} {
		if _, err := Classify(c.m, c.config); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

func TestMatcher(t *testing.T) {
	names := []string{"wasi/wasm", "wasi/wasm32", "wasip1/wasm", "wasip1/wasm32", "wasip2/wasm", "WASI/Wasm"}
	for _, want := range append(names, "", "wasm", "wasi") {
		m, err := Matcher(want)
		if err != nil {
			t.Fatal(err)
		}
		for _, have := range names {
			os, arch, _ := strings.Cut(have, "/")
			if !m.Match(ocispec.Platform{OS: os, Architecture: arch}) {
				t.Errorf("%q does not match %s", want, have)
			}
		}
		for _, p := range []ocispec.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "wasm"}, {}, {OS: "unknown", Architecture: "unknown"}} {
			if m.Match(p) {
				t.Errorf("%q matches %v", want, p)
			}
		}
	}
	m, err := Matcher("wasip1/wasm")
	if err != nil || !m.Less(ocispec.Platform{OS: "wasip1", Architecture: "wasm"}, ocispec.Platform{OS: "wasi", Architecture: "wasm"}) ||
		!m.Less(ocispec.Platform{OS: "wasi", Architecture: "wasm"}, ocispec.Platform{OS: "wasip2", Architecture: "wasm"}) {
		t.Errorf("order of wasip1/wasm: %v", err)
	}
	if m, err := Matcher("linux/amd64"); err != nil || !m.Match(ocispec.Platform{OS: "linux", Architecture: "amd64"}) || m.Match(DefaultPlatform) {
		t.Errorf("linux/amd64: %v", err)
	}
	for _, bad := range []string{"a/b/c/d", "/", "x y/z", "nonsense"} {
		if _, err := Matcher(bad); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestStripInit(t *testing.T) {
	for in, want := range map[string]string{
		"/sbin/docker-init -- app.wasm a": "app.wasm a",
		"/dev/init -- app.wasm":           "app.wasm",
		"/run/podman-init app.wasm":       "app.wasm",
		"tini -s -- app.wasm":             "app.wasm",
		"app.wasm -- b":                   "app.wasm -- b",
		"/sbin/docker-init":               "/sbin/docker-init",
	} {
		if got := strings.Join(StripInit(strings.Fields(in)), " "); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestResolveProgram(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"app.wasm", "lib/x.wasm", "a#b.wasm", "bin/tool.wasm"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open := func(p string) (*os.File, error) {
		if p != path.Clean(p) || !path.IsAbs(p) {
			t.Errorf("asked for %q, which is not absolute and clean", p)
		}
		if p == "/lib" || p == "/" {
			return nil, &fs.PathError{Op: "open", Path: p, Err: errors.New("is a directory")}
		}
		return os.Open(filepath.Join(dir, p))
	}
	for args, want := range map[string]string{
		"/app.wasm a b":           "/app.wasm _start [/app.wasm a b]",
		"app.wasm":                "/app.wasm _start [app.wasm]",
		"lib/x.wasm":              "/lib/x.wasm _start [lib/x.wasm]",
		"x.wasm":                  "/lib/x.wasm _start [x.wasm]",
		"tool.wasm":               "/bin/tool.wasm _start [tool.wasm]",
		"/app.wasm#run":           "/app.wasm run [/app.wasm]",
		"/a#b.wasm":               "/a#b.wasm _start [/a#b.wasm]",
		"/a#b.wasm#c":             "/a#b.wasm c [/a#b.wasm]",
		"/lib/../app.wasm":        "/app.wasm _start [/lib/../app.wasm]",
		"docker-init -- app.wasm": "/app.wasm _start [app.wasm]",
	} {
		p, err := ResolveProgram(strings.Fields(args), "/lib", "/usr/bin:/bin", open)
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		if got := fmt.Sprint(p.Path, " ", p.Func, " ", p.Args); got != want {
			t.Errorf("%s = %q, want %q", args, got, want)
		}
		if got := p.File.Name(); got != filepath.Join(dir, p.Path) {
			t.Errorf("%s opened %s", args, got)
		}
		p.File.Close()
	}
	for args, want := range map[string]struct {
		code int
		text string
	}{
		"/none.wasm":       {127, "stat /none.wasm: no such file or directory"},
		"none":             {127, "no such file or directory"},
		"":                 {127, "no command specified"},
		"/../../etc/hosts": {127, "no such file or directory"},
		"/none#fn":         {127, "no such file or directory"},
		"/lib":             {126, "is a directory"},
		"/":                {126, "is a directory"},
	} {
		_, err := ResolveProgram(strings.Fields(args), "/", "", open)
		var pe *ProgramError
		if !errors.As(err, &pe) || pe.ExitCode() != want.code || !strings.Contains(err.Error(), want.text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v; want %d with %q", args, err, want.code, want.text)
		}
	}
}

func TestCommand(t *testing.T) {
	for _, c := range []struct {
		entrypoint, cmd, program, want string
	}{
		{"/app.wasm", "a", "", "/app.wasm a"},
		{"", "a b", "/module.wasm", "/module.wasm a b"},
		{"/other.wasm", "a", "/module.wasm", "/other.wasm a"},
		{"", "", "", ""},
	} {
		if got := strings.Join(Command(strings.Fields(c.entrypoint), strings.Fields(c.cmd), c.program), " "); got != c.want {
			t.Errorf("%+v became %q", c, got)
		}
	}
}

// FuzzClassify holds that hostile manifests and configurations are refused or
// give a path that is absolute, clean and below the root.
func FuzzClassify(f *testing.F) {
	for _, mediaType := range []string{MediaTypeConfigV0, MediaTypeConfigV1, MediaTypeSoloConfig, ocispec.MediaTypeImageConfig} {
		b, err := json.Marshal(manifest(mediaType, layer(MediaTypeWasm, "../x.wasm")))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, config(f, []string{"/../a.wasm#x"}, 1))
	}
	f.Fuzz(func(t *testing.T, m, c []byte) {
		var parsed ocispec.Manifest
		if json.Unmarshal(m, &parsed) != nil {
			return
		}
		got, err := Classify(parsed, c)
		if err != nil {
			if !errdefs.IsInvalidArgument(err) {
				t.Errorf("unclassified: %v", err)
			}
			return
		}
		if got.Path != "" && (got.Path != filepath.Clean(got.Path) || got.Path[0] != '/' || got.Path == "/") {
			t.Errorf("path %q", got.Path)
		}
		if n := len(got.Config.RootFS.DiffIDs); !got.Kind.Artifact() && n != len(got.Layers) {
			t.Errorf("%d diff_ids for %d layers", n, len(got.Layers))
		}
	})
}
