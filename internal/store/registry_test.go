package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	registrytypes "github.com/moby/moby/api/types/registry"
	digest "github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/image"
	"wherry/internal/testutil/registry"
)

// pushed makes an image and pushes it.
func pushed(t *testing.T, s *Store, ref string, auth *registrytypes.AuthConfig, files ...string) Image {
	t.Helper()
	img := plainImage(t, s, ref, image.DefaultPlatform, files...)
	if err := s.Push(context.Background(), PushOptions{Ref: ref, Auth: auth}); err != nil {
		t.Fatal(err)
	}
	return img
}

func TestPushPull(t *testing.T) {
	r := registry.Start(t, registry.Options{})
	ctx := context.Background()
	src, dst := openStore(t), openStore(t)
	plain := pushed(t, src, r.Host+"/plain:1", nil, "app.wasm", wasm)
	art := artifact(t, src, r.Host+"/art", wasm)
	var events []Event
	if err := src.Push(ctx, PushOptions{Ref: r.Host + "/art", Progress: func(e Event) { events = append(events, e) }}); err != nil {
		t.Fatal(err)
	}
	if text := statuses(events); !strings.Contains(text, StatusPushed) || !strings.Contains(text, "latest: digest: "+art.ID.String()) {
		t.Errorf("push said %q", text)
	}
	for ref, want := range map[string]Image{r.Host + "/plain:1": plain, r.Host + "/art": art, r.Host + "/art@" + art.ID.String(): art} {
		events = nil
		got, err := dst.Pull(ctx, PullOptions{Ref: ref, Progress: func(e Event) { events = append(events, e) }})
		if err != nil {
			t.Fatalf("pull %s: %v", ref, err)
		}
		if got.ID != want.ID {
			t.Errorf("%s has the digest %s here, %s there", ref, got.ID, want.ID)
		}
		tree, err := dst.Tree(ctx, got)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for p, d := range tree.Digests {
			b, err := os.ReadFile(filepath.Join(tree.Path, p))
			found = err == nil && string(b) == wasm && d == digest.FromString(wasm)
		}
		if !found {
			t.Errorf("%s: the module is not in the tree: %v", ref, tree.Digests)
		}
		if text := statuses(events); !strings.Contains(text, "Digest: "+want.ID.String()) || !strings.Contains(text, "Downloaded newer image") {
			t.Errorf("pull said %q", text)
		}
	}
	events = nil
	if _, err := dst.Pull(ctx, PullOptions{Ref: r.Host + "/plain:1", Progress: func(e Event) { events = append(events, e) }}); err != nil {
		t.Fatal(err)
	}
	if text := statuses(events); !strings.Contains(text, StatusExists) || !strings.Contains(text, "Image is up to date") {
		t.Errorf("second pull said %q", text)
	}
	if _, err := dst.Pull(ctx, PullOptions{Ref: r.Host + "/none"}); !errdefs.IsNotFound(err) || !strings.Contains(err.Error(), "manifest unknown") {
		t.Errorf("pull of what is not there: %v", err)
	}
}

func statuses(events []Event) string {
	var b strings.Builder
	for _, e := range events {
		b.WriteString(e.ID + ": " + e.Status + "\n")
	}
	return b.String()
}

func TestPullResumes(t *testing.T) {
	r := registry.Start(t, registry.Options{})
	ctx := context.Background()
	src, root := openStore(t), t.TempDir()
	dst, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 4<<20)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	img := pushed(t, src, r.Host+"/big", nil, "app.wasm", wasm, "noise", string(noise))
	blobs := img.Manifest.Config.Size + img.Manifest.Layers[0].Size

	dst.retryWait = time.Millisecond
	r.Cut(3<<20, nil)
	if _, err = dst.Pull(ctx, PullOptions{Ref: r.Host + "/big"}); err == nil {
		t.Fatal("the pull went through the cut")
	}
	r.Restore()
	first := r.Sent.Load()
	if first == 0 || first >= blobs {
		t.Fatalf("the first pull got %d of %d bytes", first, blobs)
	}
	// The store is opened again, as after a crash; what was fetched is kept.
	if err := dst.Close(); err != nil {
		t.Fatal(err)
	}
	if dst, err = Open(root); err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	// A connection that breaks once more is taken up again within the pull.
	r.Cut(512<<10, r.Restore)
	got, err := dst.Pull(ctx, PullOptions{Ref: r.Host + "/big"})
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != img.ID {
		t.Errorf("digest %s, want %s", got.ID, img.ID)
	}
	t.Logf("%d bytes of blobs: %d in the cut download, %d in the one that went on", blobs, first, r.Sent.Load()-first)
	if extra := r.Sent.Load() - blobs; extra < 0 || extra > 0 {
		t.Errorf("%d bytes were sent for %d bytes of blobs: %d too many (%d in the first pull)", r.Sent.Load(), blobs, extra, first)
	}
	if _, err := dst.Tree(ctx, got); err != nil {
		t.Error(err)
	}
}

func TestCredentials(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	ctx := context.Background()
	auth := &registrytypes.AuthConfig{Username: "me", Password: "secret"}
	for name, o := range map[string]registry.Options{
		"basic": {User: "me", Password: "secret"},
		"token": {User: "me", Password: "secret", Token: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := registry.Start(t, o)
			s := openStore(t)
			img := pushed(t, s, r.Host+"/x", auth, "app.wasm", wasm)
			if _, err := openStore(t).Pull(ctx, PullOptions{Ref: r.Host + "/x"}); !errdefs.IsPermissionDenied(err) || !strings.Contains(err.Error(), "pull access denied") {
				t.Errorf("pull without credentials: %v", err)
			}
			if _, err := openStore(t).Pull(ctx, PullOptions{Ref: r.Host + "/x", Auth: &registrytypes.AuthConfig{Username: "me", Password: "wrong"}}); !errdefs.IsPermissionDenied(err) {
				t.Errorf("pull with a wrong password: %v", err)
			}
			if got, err := openStore(t).Pull(ctx, PullOptions{Ref: r.Host + "/x", Auth: auth}); err != nil || got.ID != img.ID {
				t.Errorf("pull with credentials: %v, %v", got.ID, err)
			}
			if o.Token {
				if _, err := openStore(t).Pull(ctx, PullOptions{Ref: r.Host + "/x", Auth: &registrytypes.AuthConfig{IdentityToken: registry.IdentityToken}}); err != nil {
					t.Errorf("pull with an identity token: %v", err)
				}
			}
			// The user's own configuration stands in where nothing was given.
			config := t.TempDir()
			t.Setenv("DOCKER_CONFIG", config)
			b := []byte(`{"auths":{"` + r.Host + `":{"auth":"bWU6c2VjcmV0"}}}`)
			if err := os.WriteFile(filepath.Join(config, "config.json"), b, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := openStore(t).Pull(ctx, PullOptions{Ref: r.Host + "/x"}); err != nil {
				t.Errorf("pull with the configuration's credentials: %v", err)
			}
			login := *auth
			login.ServerAddress = r.Host
			if err := s.Login(ctx, login); err != nil {
				t.Errorf("login: %v", err)
			}
			login.Password = "wrong"
			if err := s.Login(ctx, login); !errdefs.IsUnauthorized(err) {
				t.Errorf("login with a wrong password: %v", err)
			}
		})
	}
}

func TestCredentialHelper(t *testing.T) {
	r := registry.Start(t, registry.Options{User: "me", Password: "secret", Token: true})
	pushed(t, openStore(t), r.Host+"/x", &registrytypes.AuthConfig{Username: "me", Password: "secret"}, "app.wasm", wasm)
	config := t.TempDir()
	t.Setenv("DOCKER_CONFIG", config)
	t.Setenv("PATH", config+":"+os.Getenv("PATH"))
	helper := "#!/bin/sh\nread host\necho \"{\\\"ServerURL\\\":\\\"$host\\\",\\\"Username\\\":\\\"me\\\",\\\"Secret\\\":\\\"secret\\\"}\"\n"
	if err := os.WriteFile(filepath.Join(config, "docker-credential-test"), []byte(helper), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(config, "config.json"), []byte(`{"credHelpers":{"`+r.Host+`":"test"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(t).Pull(context.Background(), PullOptions{Ref: r.Host + "/x"}); err != nil {
		t.Error(err)
	}
}

func TestPrivateCA(t *testing.T) {
	r := registry.Start(t, registry.Options{TLS: true})
	ctx := context.Background()
	// httptest's certificate is for example.com; connections to that name are
	// led to the registry.
	const host = "example.com"
	redirect := func(tr *http.Transport) {
		tr.Proxy = nil
		tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, r.Host)
		}
	}
	root := t.TempDir()
	s, err := Open(filepath.Join(root, "images"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.transport = redirect
	img := plainImage(t, s, host+"/x", image.DefaultPlatform, "app.wasm", wasm)
	err = s.Push(ctx, PushOptions{Ref: host + "/x"})
	if err == nil || !strings.Contains(err.Error(), "put the registry's CA certificate at") {
		t.Fatalf("push to an unknown authority: %v", err)
	}
	r.WriteCA(t, root, host)
	if err := s.Push(ctx, PushOptions{Ref: host + "/x"}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Pull(ctx, PullOptions{Ref: host + "/x"})
	if err != nil || got.ID != img.ID {
		t.Errorf("pull = %v, %v", got.ID, err)
	}
}

func TestMirror(t *testing.T) {
	r := registry.Start(t, registry.Options{})
	src := openStore(t)
	img := pushed(t, src, r.Host+"/library/x", nil, "app.wasm", wasm)
	root := t.TempDir()
	dir := filepath.Join(root, "certs.d", "docker.io")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	toml := "server = \"http://" + r.Host + "\"\n[host.\"http://" + r.Host + "\"]\ncapabilities = [\"pull\", \"resolve\"]\n"
	if err := os.WriteFile(filepath.Join(dir, "hosts.toml"), []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(filepath.Join(root, "images"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.Pull(context.Background(), PullOptions{Ref: "x"})
	if err != nil || got.ID != img.ID || got.Names[0] != "x:latest" {
		t.Errorf("pull of a short name through a mirror: %+v, %v", got.Names, err)
	}
}

// index puts an index of manifests in the store.
func index(ctx context.Context, t *testing.T, s *Store, name string, manifests ...ocispec.Descriptor) Image {
	t.Helper()
	img, err := s.CreateImage(ctx, name, put(ctx, t, s, ocispec.MediaTypeImageIndex, mustJSON(t, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: manifests,
	})))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestIndexPlatforms(t *testing.T) {
	r := registry.Start(t, registry.Options{})
	s, dst := openStore(t), openStore(t)
	ctx, done, err := s.Lease(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	entry := func(os, arch, file string) ocispec.Descriptor {
		p := ocispec.Platform{OS: os, Architecture: arch}
		d := plainManifest(ctx, t, s, p, file, wasm)
		d.Platform = &p
		return d
	}
	linux, arm, wasip1 := entry("linux", "amd64", "l"), entry("linux", "arm64", "a"), entry("wasip1", "wasm", "w.wasm")
	note := plainManifest(ctx, t, s, ocispec.Platform{OS: "unknown", Architecture: "unknown"}, "note", "{}")
	note.Platform = &ocispec.Platform{OS: "unknown", Architecture: "unknown"}
	note.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": wasip1.Digest.String()}
	mixed := index(ctx, t, s, r.Host+"/mixed", linux, arm, wasip1, note)
	alone := index(ctx, t, s, r.Host+"/alone", wasip1, note)
	index(ctx, t, s, r.Host+"/linux", linux, arm)
	for _, ref := range []string{"/mixed", "/alone", "/linux"} {
		if err := s.Push(ctx, PushOptions{Ref: r.Host + ref}); err != nil {
			t.Fatal(err)
		}
	}
	for _, platform := range []string{"", "wasi/wasm", "wasi/wasm32", "wasip2/wasm", "wasm"} {
		got, err := dst.Pull(ctx, PullOptions{Ref: r.Host + "/mixed", Platform: platform})
		if err != nil || got.ID != mixed.ID || got.ManifestDesc.Digest != wasip1.Digest {
			t.Errorf("pull for %q: %v, %v", platform, got.ManifestDesc.Digest, err)
		}
	}
	if _, err := dst.Content().Info(ctx, linux.Digest); !errdefs.IsNotFound(err) {
		t.Errorf("the Linux manifest was fetched, too: %v", err)
	}
	_, err = dst.Pull(ctx, PullOptions{Ref: r.Host + "/linux"})
	if err == nil || !strings.Contains(err.Error(), "has no wasm platform (found linux/amd64, linux/arm64); Wherry runs wasi/wasm images") {
		t.Errorf("pull of a Linux image: %v", err)
	}
	// An image with its attestation goes elsewhere with its digest unchanged.
	if _, err := dst.Pull(ctx, PullOptions{Ref: r.Host + "/alone"}); err != nil {
		t.Fatal(err)
	}
	if err := dst.Tag(ctx, r.Host+"/alone", r.Host+"/copy"); err != nil {
		t.Fatal(err)
	}
	if err := dst.Push(ctx, PushOptions{Ref: r.Host + "/copy"}); err != nil {
		t.Fatal(err)
	}
	if got, err := openStore(t).Pull(ctx, PullOptions{Ref: r.Host + "/copy"}); err != nil || got.ID != alone.ID {
		t.Errorf("the copy is %v, %v; want %s", got.ID, err, alone.ID)
	}
	// Of the mixed one only a part is here: that part is pushed.
	if err := dst.Tag(ctx, r.Host+"/mixed", r.Host+"/part"); err != nil {
		t.Fatal(err)
	}
	if err := dst.Push(ctx, PushOptions{Ref: r.Host + "/part"}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := dst.Save(ctx, []string{r.Host + "/mixed"}, "", &out); err != nil || out.Len() == 0 {
		t.Errorf("save of a part: %v", err)
	}
}

func TestLinuxByMistake(t *testing.T) {
	s := openStore(t)
	ctx := context.Background()
	plainImage(t, s, "x", ocispec.Platform{OS: "linux", Architecture: "amd64"}, "app.wasm", wasm)
	for _, p := range []string{"", "wasi/wasm", "linux/amd64"} {
		if _, err := s.Get(ctx, "x", p); err != nil {
			t.Errorf("Get for %q: %v", p, err)
		}
	}
	if _, err := s.Get(ctx, "x", "linux/arm64"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("Get for linux/arm64: %v", err)
	}
}
