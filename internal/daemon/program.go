//go:build linux

package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"golang.org/x/sys/unix"

	"wherry/internal/daemon/archive"
	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/record"
	"wherry/internal/image"
	"wherry/internal/store"
	"wherry/internal/wasi/host/tree"
)

// storePrograms is [programs] over the image store.
type storePrograms struct{ *store.Store }

var _ programs = storePrograms{}

// Program implements [programs].
func (s storePrograms) Program(ctx context.Context, holder, ref, platform string) (program, error) {
	img, err := s.Get(ctx, ref, platform)
	if err != nil {
		return program{}, err
	}
	// Hold before Tree: from here on nothing collects it.
	if err := s.Hold(ctx, holder, img); err != nil {
		return program{}, err
	}
	tree, err := s.Tree(ctx, img)
	if err != nil {
		return program{}, err
	}
	modules := map[string]string{}
	for p, d := range tree.Digests {
		modules[p] = d.String()
	}
	cfg, err := containerConfig(ctx, s.Content(), img)
	if err != nil {
		return program{}, err
	}
	manifest := img.ManifestDesc
	return program{
		Image: record.Image{
			ID: img.ID.String(), Name: ref, Platform: img.Platform, Manifest: &manifest,
			Tree: tree.Path, Modules: modules,
		},
		Config: cfg,
	}, nil
}

// Holders implements [programs].
func (s storePrograms) Holders(ctx context.Context) ([]string, error) { return s.Holds(ctx) }

// dockerConfig reads an image's configuration with what Docker has beyond OCI:
// health checks, ONBUILD, the shell. Artifacts have none of that.
func dockerConfig(ctx context.Context, blobs content.Provider, img store.Image) (*dockerspec.DockerOCIImage, error) {
	full := new(dockerspec.DockerOCIImage)
	full.Image = img.Config
	full.Config.ImageConfig = img.Config.Config
	if img.Format.Kind.Artifact() {
		return full, nil
	}
	blob, err := content.ReadBlob(ctx, blobs, img.Manifest.Config)
	if err != nil {
		return nil, fmt.Errorf("read the configuration of %s: %w", img.ID, err)
	}
	if err := json.Unmarshal(blob, full); err != nil {
		return nil, fault.Invalid("the configuration of image %s: %w", img.ID, err)
	}
	return full, nil
}

// containerConfig is an image's part of a container's settings.
func containerConfig(ctx context.Context, blobs content.Provider, img store.Image) (*container.Config, error) {
	full, err := dockerConfig(ctx, blobs, img)
	if err != nil {
		return nil, err
	}
	in := full.Config
	c := &container.Config{
		User: in.User, Env: in.Env, Entrypoint: in.Entrypoint, Cmd: in.Cmd, Volumes: in.Volumes,
		WorkingDir: in.WorkingDir, Labels: in.Labels, StopSignal: in.StopSignal,
		Healthcheck: in.Healthcheck, Shell: in.Shell,
	}
	if len(c.Entrypoint) == 0 && img.Format.Path != "" && (img.Format.Kind != image.WasmLayers || len(c.Cmd) == 0) {
		c.Entrypoint = []string{img.Format.Path} // the module is the program
	}
	for p := range in.ExposedPorts {
		port, err := network.ParsePort(p)
		if err != nil {
			return nil, fault.Invalid("image %s exposes %q, which is no port: %w", img.ID, p, err)
		}
		if c.ExposedPorts == nil {
			c.ExposedPorts = network.PortSet{}
		}
		c.ExposedPorts[port] = struct{}{}
	}
	return c, nil
}

// moduleDigest is the digest of the program's module, if its bytes are the
// image's: no mount lies over it, and what the container's tree has at its path
// is the image's own file. Empty means: hash it.
func (d *Daemon) moduleDigest(rec record.Container) string {
	args := image.StripInit(append([]string{rec.Path}, rec.Args...))
	file, _, _ := strings.Cut(args[0], "#")
	if !path.IsAbs(file) {
		file = path.Join("/", rec.Config.WorkingDir, file)
	}
	file = path.Clean(file)
	digest, ok := rec.Image.Modules[file]
	if !ok {
		return ""
	}
	for _, m := range rec.Mounts {
		if file == m.Destination || strings.HasPrefix(file, m.Destination+"/") {
			return ""
		}
	}
	t, err := d.openTree(rec, false)
	if err != nil {
		return "" // the shim will say why
	}
	defer t.Close()
	root := t.Root()
	defer root.Close()
	n, err := root.Open(archive.Relative(file), tree.OpenFlags{Read: true, Follow: true})
	if err != nil {
		return ""
	}
	defer n.Close()
	f, ok := n.(*tree.File)
	if !ok {
		return ""
	}
	var now, then unix.Stat_t
	if unix.Fstat(f.FD(), &now) != nil || unix.Lstat(filepath.Join(rec.Image.Tree, file), &then) != nil {
		return ""
	}
	if now.Dev != then.Dev || now.Ino != then.Ino {
		return ""
	}
	return digest
}
