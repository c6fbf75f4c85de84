package build

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/store"
)

// hello is the smallest module that runs: it exports _start and a memory.
const hello = "\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x05\x03\x01\x00\x01" +
	"\x07\x13\x02\x06_start\x00\x00\x06memory\x02\x00\x0a\x04\x01\x02\x00\x0b"

// archive makes a tar. Names that end with / are folders; content "-> x" makes
// a link to x.
func archive(t testing.TB, entries map[string]string) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		h := &tar.Header{Name: name, Mode: 0o644, Typeflag: tar.TypeReg, Size: int64(len(entries[name])), Uid: 1000, Gid: 1000}
		to, link := strings.CutPrefix(entries[name], "-> ")
		switch {
		case strings.HasSuffix(name, "/"):
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		case link:
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, to, 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := io.WriteString(w, entries[name]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func openStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "images"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// built is an image as the store has it.
type built struct {
	Result
	config dockerspec.DockerOCIImage
	// files are the content of each layer's entries by name.
	layers []map[string]string
	log    string
}

// run builds and reads back.
func run(t *testing.T, s *store.Store, o Options, entries map[string]string) (built, error) {
	t.Helper()
	var log bytes.Buffer
	o.Context, o.Progress, o.TempDir = archive(t, entries), &log, t.TempDir()
	res, err := Run(context.Background(), o, s)
	if left, _ := os.ReadDir(o.TempDir); len(left) > 0 {
		t.Errorf("the build left %v behind", left)
	}
	if err != nil {
		return built{}, err
	}
	img, err := s.Get(context.Background(), res.ID.String(), "")
	if err != nil {
		t.Fatal(err)
	}
	out := built{Result: res}
	ctx, done, err := s.Lease(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	blob, err := content.ReadBlob(ctx, s.Content(), img.Manifest.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(blob, &out.config); err != nil {
		t.Fatal(err)
	}
	for _, l := range img.Manifest.Layers {
		out.layers = append(out.layers, readLayer(t, ctx, s, l))
	}
	for dec := json.NewDecoder(&log); ; {
		var m struct{ Stream string }
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			t.Fatal(err)
		}
		out.log += m.Stream
	}
}

func readLayer(t *testing.T, ctx context.Context, s *store.Store, l ocispec.Descriptor) map[string]string {
	t.Helper()
	blob, err := content.ReadBlob(ctx, s.Content(), l)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(blob))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(data)
		if h.Linkname != "" {
			files[h.Name] = "-> " + h.Linkname
		}
		if h.ModTime.Unix() != 0 && os.Getenv("SOURCE_DATE_EPOCH") == "" && !strings.Contains(t.Name(), "Epoch") {
			t.Errorf("%s has the time %v", h.Name, h.ModTime)
		}
	}
}

func str(s string) *string { return &s }

func TestBuildHello(t *testing.T) {
	s := openStore(t)
	b, err := run(t, s, Options{Tags: []string{"hello", "hello:v1"}, Labels: map[string]string{"a": "b"}}, map[string]string{
		"Dockerfile": "FROM scratch\nCOPY app.wasm /hello.wasm\nEXPOSE 8080\nENTRYPOINT [\"/hello.wasm\"]\n",
		"app.wasm":   hello,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(b.layers) != 1 || b.layers[0]["hello.wasm"] != hello {
		t.Errorf("layers: %q", b.layers)
	}
	c := b.config
	if c.OS != "wasi" || c.Architecture != "wasm" || c.Config.Entrypoint[0] != "/hello.wasm" || c.Config.Labels["a"] != "b" || len(c.History) != 3 {
		t.Errorf("configuration: %+v", c)
	}
	if _, ok := c.Config.ExposedPorts["8080/tcp"]; !ok {
		t.Errorf("exposed: %v", c.Config.ExposedPorts)
	}
	if want := []string{"docker.io/library/hello:latest", "docker.io/library/hello:v1"}; !slices.Equal(b.Names, want) || b.Warning != "" || b.Size == 0 {
		t.Errorf("result: %+v", b.Result)
	}
	for _, want := range []string{"Step 1/4 : FROM scratch\n", "Step 4/4 : ENTRYPOINT [\"/hello.wasm\"]\n", "Successfully built " + b.ID.Encoded()[:12], "Successfully tagged hello:v1\n"} {
		if !strings.Contains(b.log, want) {
			t.Errorf("the log lacks %q:\n%s", want, b.log)
		}
	}
}

func TestSameInputSameDigest(t *testing.T) {
	files := map[string]string{
		"Dockerfile": "FROM scratch\nCOPY . /srv/\nENV A=b C=d\nLABEL x=y z=w\nWORKDIR /srv\nCMD [\"a.wasm\"]\n",
		"a.wasm":     hello, "b/c": "c", "b/link": "-> c", "empty/": "",
	}
	one, err1 := run(t, openStore(t), Options{}, files)
	two, err2 := run(t, openStore(t), Options{}, files)
	if err1 != nil || err2 != nil || one.ID != two.ID {
		t.Fatalf("%s, %s (%v, %v)", one.ID, two.ID, err1, err2)
	}
	if got := one.layers[0]["srv/b/link"]; got != "-> c" {
		t.Errorf("the link became %q", got)
	}
}

func TestSourceDateEpoch(t *testing.T) {
	files := map[string]string{"Dockerfile": "FROM scratch\nCOPY a /\n", "a": "a"}
	b, err := run(t, openStore(t), Options{Args: map[string]*string{"SOURCE_DATE_EPOCH": str("1700000000")}}, files)
	if err != nil || b.config.Created.Unix() != 1700000000 || b.config.History[0].Created.Unix() != 1700000000 {
		t.Errorf("%+v, %v", b.config, err)
	}
	if strings.Contains(b.log, "not consumed") {
		t.Errorf("log: %s", b.log)
	}
	_, err = run(t, openStore(t), Options{Args: map[string]*string{"SOURCE_DATE_EPOCH": str("yesterday")}}, files)
	if err == nil || !strings.Contains(err.Error(), `"yesterday"`) {
		t.Errorf("got %v", err)
	}
}

func TestNilArgumentsDontCount(t *testing.T) {
	b, err := run(t, openStore(t), Options{Args: map[string]*string{"A": nil, "B": str("given"), "TYPO": str("x")}}, map[string]string{
		"Dockerfile": "ARG G=global\nFROM scratch\nARG A=own\nARG B=own\nARG G\nENV X=$A-$B-$G-${NONE:-none}\n",
	})
	if err != nil || b.config.Config.Env[0] != "X=own-given-global-none" {
		t.Errorf("%v, %v", b.config.Config.Env, err)
	}
	if !strings.Contains(b.log, "[Warning] One or more build-args [TYPO] were not consumed") {
		t.Errorf("log: %s", b.log)
	}
}

func TestConfigOfBase(t *testing.T) {
	s := openStore(t)
	if _, err := run(t, s, Options{Tags: []string{"base"}}, map[string]string{
		"Dockerfile": "FROM scratch\nCOPY a.wasm /bin/a.wasm\nENV A=1 B=2\nCMD [\"base\"]\nONBUILD COPY f /from-trigger\nHEALTHCHECK --interval=5s CMD [\"/bin/a.wasm\"]\nUSER 7\nVOLUME /data\nSTOPSIGNAL SIGINT\nWORKDIR /w/x\n",
		"a.wasm":     hello,
	}); err != nil {
		t.Fatal(err)
	}
	b, err := run(t, s, Options{Platform: "wasip1/wasm"}, map[string]string{
		"Dockerfile": "FROM base\nENV B=3\nENTRYPOINT /bin/a.wasm 'two words'\nCOPY f rel\n", "f": "f",
	})
	if err != nil {
		t.Fatal(err)
	}
	c := b.config.Config
	if !slices.Equal(c.Env, []string{"A=1", "B=3"}) || c.Cmd != nil || !slices.Equal(c.Entrypoint, []string{"/bin/a.wasm", "two words"}) ||
		c.User != "7" || c.StopSignal != "SIGINT" || c.WorkingDir != "/w/x" || len(c.OnBuild) != 0 || c.Healthcheck == nil || len(c.Volumes) != 1 {
		t.Errorf("configuration: %+v", c)
	}
	if b.config.OS != "wasip1" || len(b.config.RootFS.DiffIDs) != 4 {
		t.Errorf("%+v", b.config)
	}
	if b.layers[2]["from-trigger"] != "f" || b.layers[3]["w/x/rel"] != "f" {
		t.Errorf("layers: %q", b.layers)
	}
	if !strings.Contains(b.log, "no shell") || b.Warning != "" {
		t.Errorf("log: %s", b.log)
	}
}

func TestErrorsHaveLines(t *testing.T) {
	s := openStore(t)
	for _, tc := range []struct{ name, dockerfile, want string }{
		{"unknown instruction", "FROM scratch\n\nFORM x\n", "Dockerfile:3: unknown instruction: FORM (did you mean FROM?)"},
		{"empty", "  \n", "Dockerfile is empty; it begins with FROM"},
		{"binary", "\x00\x01", "Dockerfile is not text"},
		{"no from", "COPY a /\n", "Dockerfile:1: no build stage in current context"},
		{"only arg", "ARG A\n", "Dockerfile has no FROM"},
		{"missing file", "FROM scratch\nCOPY nope /\n", "Dockerfile:2: COPY: there is no nope in the build context"},
		{"missing module", "FROM scratch\nCOPY x.wasm /\n", "compile it first"},
		{"ignored file", "FROM scratch\nCOPY secret /\n", "secret is left out of the build context by .dockerignore"},
		{"outside", "FROM scratch\nCOPY ../../etc/passwd /\n", "Dockerfile:2: COPY: there is no ../../etc/passwd in the build context"},
		{"url", "FROM scratch\nADD https://example.com/x /\n", "Dockerfile:2: ADD of https://example.com/x is not built: download it"},
		{"git", "FROM scratch\nADD git@example.com:x.git /\n", "ADD of git@example.com:x.git is not built"},
		{"several to a file", "FROM scratch\nCOPY a b /c\n", "end the destination /c with a /"},
		{"chown name", "FROM scratch\nCOPY --chown=nobody a /\n", `"nobody" is no number`},
		{"chmod", "FROM scratch\nCOPY --chmod=u+x a /\n", "--chmod=u+x is no octal mode"},
		{"run on linux", "FROM --platform=linux/amd64 golang:1.26 AS b\nRUN go build\nFROM scratch\nCOPY --from=b /x /\n", "Dockerfile:2: RUN would run Linux programs of golang:1.26"},
		{"wasm on linux", "FROM --platform=linux/amd64 golang AS b\nCOPY a x.wasm\nRUN [\"/x.wasm\"]\n", "Dockerfile:3: RUN would run Linux programs of golang"},
		{"shell operators", "FROM scratch\nCMD a.wasm | b.wasm\n", `Dockerfile:2: a Wasm image has no shell, and "|" needs one`},
		{"no runner", "FROM scratch\nRUN [\"/a.wasm\"]\n", "Dockerfile:2: RUN needs an engine"},
		{"missing base", "FROM nowhere\n", "Dockerfile:1: "},
		{"missing stage", "FROM scratch\nCOPY --from=nowhere a /\n", "--from=nowhere is neither a stage before this one nor an image"},
		{"empty from", "FROM $X\n", "Dockerfile:1: "},
		{"expose host port", "FROM scratch\nEXPOSE 80:8080\n", "Dockerfile:2: EXPOSE 80:8080"},
		{"bad port", "FROM scratch\nEXPOSE 99999\n", "Dockerfile:2: EXPOSE 99999"},
		{"bad signal", "FROM scratch\nSTOPSIGNAL SIGNOPE\n", "Dockerfile:2: STOPSIGNAL"},
		{"bad trigger", "FROM scratch\nONBUILD FROM x\n", "Dockerfile:2: "},
		{"file over folder", "FROM scratch\nCOPY dir /x\nCOPY a /x/in/f/g\n", "Dockerfile:3: /x/in/f is a file"},
		{"run mount", "FROM scratch\nRUN --mount=type=cache,target=/c [\"/a.wasm\"]\n", "Dockerfile:2: RUN --mount is not built"},
		{"parents", "FROM scratch\nCOPY --parents a /\n", "Dockerfile:2: "},
		{"continued", "FROM scratch\nENV A=1 \\\n  B=2\nCOPY nope /\n", "Dockerfile:4: "},
		{"directive", "# escape=`\nFROM scratch\nBAD\n", "Dockerfile:3: unknown instruction: BAD"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := run(t, s, Options{}, map[string]string{"Dockerfile": tc.dockerfile, "a": "a", "b": "b", "dir/in/f": "f", "secret": "s", ".dockerignore": "secret\n"})
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if err != nil && !errdefs.IsInvalidArgument(err) && !errdefs.IsNotFound(err) && !errdefs.IsNotImplemented(err) {
				t.Errorf("%v has no class", err)
			}
		})
	}
}
