package build

import (
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/build/files"
	"wherry/internal/module"
)

// layer makes a layer of what an instruction changed.
func (s *stage) layer(ctx context.Context, changed map[string]*files.Node, gone []string, code string) error {
	if len(changed) == 0 && len(gone) == 0 {
		s.history(code, true)
		return nil
	}
	w, err := content.OpenWriter(ctx, s.blobs, content.WithRef("wherry-build-"+rand.Text()))
	if err != nil {
		return err
	}
	defer w.Close()
	// gzip's header has neither name nor time unless set, so equal files give
	// equal bytes.
	sum := digest.Canonical.Digester()
	counted := &counter{w: w}
	zip := gzip.NewWriter(counted)
	if err := files.WriteLayer(io.MultiWriter(zip, sum.Hash()), changed, gone, s.when); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	labels := content.WithLabels(map[string]string{"containerd.io/uncompressed": sum.Digest().String()})
	desc := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: w.Digest(), Size: counted.n}
	if err := w.Commit(ctx, desc.Size, desc.Digest, labels); err != nil && !errdefs.IsAlreadyExists(err) {
		return err
	}
	s.layers = append(s.layers, desc)
	s.config.RootFS.DiffIDs = append(s.config.RootFS.DiffIDs, sum.Digest())
	s.history(code, false)
	return nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// shortID names the state of a stage, as the classic builder named images
// between the steps.
func (s *stage) shortID() string {
	b, err := json.Marshal(s.config)
	if err != nil {
		return "?" // the configuration came from JSON
	}
	return digest.FromBytes(b).Encoded()[:12]
}

// commit writes the image of a finished stage and names it.
func (b *builder) commit(ctx context.Context, s *stage) (Result, error) {
	for k, v := range b.Labels {
		s.label(k, v)
	}
	when := b.when
	s.config.Created = &when
	config, err := b.write(ctx, ocispec.MediaTypeImageConfig, s.config)
	if err != nil {
		return Result{}, err
	}
	layers := s.layers
	if layers == nil {
		layers = []ocispec.Descriptor{}
	}
	manifest, err := b.write(ctx, ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: layers,
	})
	if err != nil {
		return Result{}, err
	}
	names := b.Tags
	if len(names) == 0 {
		names = []string{""}
	}
	res := Result{ID: manifest.Digest}
	for _, name := range names {
		img, err := b.store.CreateImage(ctx, name, manifest)
		if err != nil {
			return Result{}, err
		}
		res.Size = img.Size
		if name != "" {
			res.Names = append(res.Names, img.Name)
		}
	}
	s.inspect(&res)
	return res, nil
}

func (b *builder) write(ctx context.Context, mediaType string, v any) (ocispec.Descriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	desc := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	f, err := content.OpenWriter(ctx, b.blobs, content.WithRef("wherry-build-"+rand.Text()), content.WithDescriptor(desc))
	if errdefs.IsAlreadyExists(err) {
		return desc, nil
	}
	if err != nil {
		return desc, err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return desc, err
	}
	if err := f.Commit(ctx, desc.Size, desc.Digest); err != nil && !errdefs.IsAlreadyExists(err) {
		return desc, err
	}
	return desc, nil
}

// inspect looks at the program that the image runs.
func (s *stage) inspect(res *Result) {
	args := append(append([]string{}, s.config.Config.Entrypoint...), s.config.Config.Cmd...)
	if len(args) == 0 || !s.wasm() {
		return
	}
	name := args[0]
	for _, at := range []string{path.Join("/", s.config.Config.WorkingDir, name), path.Join("/", name)} {
		if path.IsAbs(name) {
			at = name
		}
		_, n, err := s.tree.Resolve(at, true)
		if err != nil || n == nil || n.Type != files.File {
			continue
		}
		info, err := inspectFile(n)
		if err == nil {
			res.Program, res.Capabilities = name, info.Capabilities()
			err = info.Check()
		}
		if err != nil {
			res.Warning = fmt.Sprintf("%s: %v", name, err)
		}
		return
	}
	res.Warning = fmt.Sprintf("the image runs %s, and has no such file", name)
}

func inspectFile(n *files.Node) (*module.Info, error) {
	r, err := n.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if f, ok := r.(*os.File); ok {
		return module.Inspect(f, n.Size)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return module.InspectBytes(data)
}
