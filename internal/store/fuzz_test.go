package store

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/cli/cli/config"
	"github.com/moby/moby/api/types/registry"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/image"
)

// FuzzLoad loads hostile archives into one store, reads what they named, makes
// its tree and removes it. Nothing may appear outside the store's folder, and
// an error has a class.
func FuzzLoad(f *testing.F) {
	layer := layerTar(f, "app.wasm", wasm)
	blob := func(b []byte) (string, string) {
		d := digest.FromBytes(b)
		return d.String(), "blobs/sha256/" + d.Encoded()
	}
	cfg := mustJSON(f, ocispec.Image{Platform: image.DefaultPlatform, RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(layer)}}})
	cfgDigest, cfgPath := blob(cfg)
	layerDigest, layerPath := blob(layer)
	manifest := mustJSON(f, map[string]any{
		"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest,
		"config": map[string]any{"mediaType": ocispec.MediaTypeImageConfig, "digest": cfgDigest, "size": len(cfg)},
		"layers": []any{map[string]any{"mediaType": ocispec.MediaTypeImageLayer, "digest": layerDigest, "size": len(layer)}},
	})
	manifestDigest, manifestPath := blob(manifest)
	index := func(mediaType, digest string, size int, name string) string {
		return string(mustJSON(f, map[string]any{"schemaVersion": 2, "manifests": []any{map[string]any{
			"mediaType": mediaType, "digest": digest, "size": size, "annotations": map[string]string{"io.containerd.image.name": name},
		}}}))
	}
	const version = `{"imageLayoutVersion":"1.0.0"}`
	f.Add(layerTar(f, "oci-layout", version, cfgPath, string(cfg), layerPath, string(layer), manifestPath, string(manifest),
		"index.json", index(ocispec.MediaTypeImageManifest, manifestDigest, len(manifest), "docker.io/library/x:latest")))
	f.Add(layerTar(f, "oci-layout", version, manifestPath, string(manifest), "index.json", index(ocispec.MediaTypeImageIndex, manifestDigest, -1, "../../x")))
	f.Add(layerTar(f, "abc.json", string(cfg), "abc/layer.tar", string(layer), "manifest.json", `[{"Config":"abc.json","RepoTags":["old:1"],"Layers":["abc/layer.tar"]}]`))
	f.Add(layerTar(f, "manifest.json", `[{"Config":"../../etc/passwd","RepoTags":["\u0000"],"Layers":["x","x"]},null]`))
	f.Add(gzipped(f, layerTar(f, "blobs/sha256/../../../x", "x", "index.json", `{"manifests":[{"digest":"x"}]}`)))
	f.Add([]byte("\x28\xb5\x2f\xfd"))
	f.Setenv("PATH", "") // no unpigz: a process for each archive takes longer than the rest

	outer := f.TempDir()
	s, err := Open(filepath.Join(outer, "images"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := s.Close(); err != nil {
			f.Error(err)
		}
	})
	beside := func(t *testing.T) (all string) {
		entries, err := os.ReadDir(outer)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all += e.Name() + " "
		}
		return all
	}
	f.Fuzz(func(t *testing.T, archive []byte) {
		ctx := context.Background()
		was := beside(t)
		names, err := s.Load(ctx, bytes.NewReader(archive), true, nil)
		if err != nil && (!errdefs.IsInvalidArgument(err) && !errdefs.IsDataLoss(err) && !errdefs.IsNotFound(err) || len(err.Error()) > 5000) {
			t.Errorf("unclassified or long: %v", err)
		}
		for _, name := range names {
			img, err := s.Get(ctx, name, "")
			if err != nil {
				t.Errorf("loaded %q, which is not there: %v", name, err)
				continue
			}
			if tree, err := s.Tree(ctx, img); err == nil {
				outside(t, tree.Path)
			}
			if _, err := s.Remove(ctx, name, true, true); err != nil {
				t.Errorf("remove %q: %v", name, err)
			}
		}
		if now := beside(t); now != was {
			t.Errorf("beside the store: %s", now)
		}
	})
}

// outside holds that a tree has nothing but files, folders and links.
func outside(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !d.Type().IsRegular() && d.Type() != fs.ModeSymlink {
			t.Errorf("%s is a %v", p, d.Type())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// FuzzIndex holds that any index gives candidates of its own, best first, and
// words for why there is none.
func FuzzIndex(f *testing.F) {
	for _, seed := range []string{
		`{"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","platform":{"os":"wasi","architecture":"wasm"}},{"mediaType":"application/vnd.oci.image.manifest.v1+json","platform":{"os":"linux","architecture":"amd64"}}]}`,
		`{"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json"},{"annotations":{"vnd.docker.reference.type":"x","vnd.docker.reference.digest":"sha256:x"}}]}`,
		`{"manifests":null}`, `null`, `[]`, `{"manifests":[{"platform":{"os":"unknown","architecture":"unknown"},"size":-1}]}`,
	} {
		f.Add([]byte(seed), "wasi/wasm")
	}
	f.Fuzz(func(t *testing.T, data []byte, platform string) {
		var idx ocispec.Index
		m, err := image.Matcher(platform)
		if json.Unmarshal(data, &idx) != nil || err != nil {
			return
		}
		all, some := runnable(idx), candidates(idx, m)
		if len(all) > len(idx.Manifests) || len(some) > len(all) {
			t.Errorf("%d of %d of %d", len(some), len(all), len(idx.Manifests))
		}
		for i := 1; i < len(some); i++ {
			if a, b := some[i-1].Platform, some[i].Platform; a != nil && b != nil && m.Less(*b, *a) {
				t.Errorf("%v comes before %v", *a, *b)
			}
		}
		if err := wrongPlatform(idx, platform); !errdefs.IsInvalidArgument(err) {
			t.Errorf("unclassified: %v", err)
		}
		for _, d := range all {
			attestations(idx, d.Digest)
			archiveName(d)
		}
	})
}

// FuzzName holds that names of images are refused with a class, or read the
// same again from how they are shown.
func FuzzName(f *testing.F) {
	for _, s := range []string{"x", "docker.io/library/x:latest", "localhost:5000/a/b@sha256:" + strings.Repeat("a", 64), "X", "a:b:c", "-", "\x00", strings.Repeat("a/", 200)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		n, err := ParseName(name)
		if err != nil {
			if !errdefs.IsInvalidArgument(err) {
				t.Errorf("unclassified: %v", err)
			}
			return
		}
		again, err := ParseName(familiar(n.String()))
		if err != nil || again.String() != n.String() {
			t.Errorf("%q is %v, shown as %q, which is %v, %v", name, n, familiar(n.String()), again, err)
		}
	})
}

// FuzzCredentials holds that a damaged configuration of Docker's gives no
// credentials, and a registry's answer is no part of a warning.
func FuzzCredentials(f *testing.F) {
	auth := base64.StdEncoding.EncodeToString([]byte("user:secret"))
	for _, seed := range []string{
		`{"auths":{"example.com":{"auth":"` + auth + `"}}}`, `{"auths":{"example.com":{"auth":"!"}}}`, `{"auths":{"https://example.com/v1/":{"username":"u","password":"p"}}}`,
		`{"auths":{"example.com":{"identitytoken":"t"}}}`, `{"auths":null,"HttpHeaders":{"a":1}}`, `{`, ``, "\xef\xbb\xbf{}", `{"auths":{"example.com":null}}`,
	} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Setenv(config.EnvOverrideConfigDir, dir)
	f.Setenv("PATH", "") // no credential helpers: which are run is the user's own word
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, config.ConfigFileName), data, 0o600); err != nil {
			t.Fatal(err)
		}
		var said []string
		user, secret, err := configSecrets("example.com", newReporter(func(e Event) { said = append(said, e.Status) }))
		if err != nil && !errdefs.IsInvalidArgument(err) {
			t.Errorf("unclassified: %v", err)
		}
		if user+secret != "" && len(user)+len(secret) > len(data) {
			t.Errorf("credentials that are not there: %q %q", user, secret)
		}
		for _, line := range said {
			if secret != "" && len(secret) > 4 && strings.Contains(line, secret) {
				t.Errorf("a secret in %q", line)
			}
		}
		var a registry.AuthConfig
		if json.Unmarshal(data, &a) == nil {
			if _, _, err := secrets(a); err != nil && !errdefs.IsInvalidArgument(err) {
				t.Errorf("unclassified: %v", err)
			}
		}
	})
}
