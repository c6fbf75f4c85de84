package cli

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// fileImage streams an OCI archive of an image whose only file is a module,
// and whose program that is. The same name and content give the same bytes.
// An error of reading f comes from the stream.
func fileImage(name, base string, f io.ReadSeeker, size int64) io.ReadCloser {
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeFileImage(w, name, base, f, size)) }()
	return r
}

func writeFileImage(w io.Writer, name, base string, f io.ReadSeeker, size int64) error {
	// The layer's digest has to be known before its bytes go out: once to
	// count, once to send.
	layer := digest.SHA256.Digester()
	var length counter
	if err := writeLayer(io.MultiWriter(layer.Hash(), &length), base, f, size); err != nil {
		return err
	}
	epoch := time.Unix(0, 0).UTC()
	config, err := json.Marshal(ocispec.Image{
		Created:  &epoch,
		Platform: ocispec.Platform{OS: "wasip1", Architecture: "wasm"},
		Config:   ocispec.ImageConfig{Entrypoint: []string{"/" + base}},
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{layer.Digest()}},
		History:  []ocispec.History{{Created: &epoch, CreatedBy: "wherry run " + base}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    describe(ocispec.MediaTypeImageConfig, config),
		Layers:    []ocispec.Descriptor{{MediaType: ocispec.MediaTypeImageLayer, Digest: layer.Digest(), Size: int64(length)}},
	})
	if err != nil {
		return err
	}
	top := describe(ocispec.MediaTypeImageManifest, manifest)
	top.Platform = &ocispec.Platform{OS: "wasip1", Architecture: "wasm"}
	top.Annotations = map[string]string{
		"io.containerd.image.name": name,
		ocispec.AnnotationRefName:  name[bytes.LastIndexByte([]byte(name), ':')+1:],
	}
	index, err := json.Marshal(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{top},
	})
	if err != nil {
		return err
	}
	return writeLayout(w, layer.Digest(), int64(length), func(w io.Writer) error { return writeLayer(w, base, f, size) },
		config, manifest, index)
}

func describe(mediaType string, blob []byte) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(blob), Size: int64(len(blob))}
}

// writeLayout writes the files of an OCI image layout (image-spec,
// image-layout.md).
func writeLayout(w io.Writer, layer digest.Digest, size int64, writeLayer func(io.Writer) error, config, manifest, index []byte) error {
	tw := tar.NewWriter(w)
	add := func(name string, b []byte) error {
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(b))}); err != nil {
			return err
		}
		_, err := tw.Write(b)
		return err
	}
	blob := func(d digest.Digest) string { return "blobs/" + d.Algorithm().String() + "/" + d.Encoded() }
	for _, f := range []struct {
		name string
		data []byte
	}{
		{ocispec.ImageLayoutFile, []byte(`{"imageLayoutVersion":"` + ocispec.ImageLayoutVersion + `"}`)},
		{ocispec.ImageIndexFile, index},
		{blob(digest.FromBytes(manifest)), manifest},
		{blob(digest.FromBytes(config)), config},
	} {
		if err := add(f.name, f.data); err != nil {
			return err
		}
	}
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: blob(layer), Mode: 0o644, Size: size}); err != nil {
		return err
	}
	if err := writeLayer(tw); err != nil {
		return err
	}
	return tw.Close()
}

// writeLayer writes a tar of the one file, from its start.
func writeLayer(w io.Writer, base string, f io.ReadSeeker, size int64) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: base, Mode: 0o755, Size: size}); err != nil {
		return err
	}
	if n, err := io.Copy(tw, io.LimitReader(f, size)); err != nil {
		return err
	} else if n < size {
		return fmt.Errorf("%s shrank while it was read", base)
	}
	return tw.Close()
}

// counter counts the bytes written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
