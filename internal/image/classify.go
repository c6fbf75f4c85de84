package image

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// DefaultPath is where an artifact's module is put when it has no title.
const DefaultPath = "/module.wasm"

// maxLayers bounds the layers of an image; overlayfs bounds them to 128 for
// everyone else.
const maxLayers = 512

// artifactConfig is the configuration of the artifact formats. Only what
// Wherry shows is read.
type artifactConfig struct {
	Created      *time.Time `json:"created"`
	Author       string     `json:"author"`
	Architecture string     `json:"architecture"`
	OS           string     `json:"os"`
}

// Classify tells in which format a manifest carries Wasm. config is the
// content of the manifest's configuration. An ordinary image is Plain whatever
// its layers hold: only its program shows whether that is Wasm. Errors wrap
// errdefs.ErrInvalidArgument.
func Classify(m ocispec.Manifest, config []byte) (Format, error) {
	if len(m.Layers) > maxLayers {
		return Format{}, invalid("the image has %d layers, more than the %d that Wherry takes", len(m.Layers), maxLayers)
	}
	var f Format
	var modules, others []ocispec.Descriptor
	for _, l := range m.Layers {
		switch {
		case isWasmLayer(l.MediaType):
			modules = append(modules, l)
		case IsTarLayer(l.MediaType):
			f.Layers = append(f.Layers, l)
		default:
			others = append(others, l)
		}
	}
	f.Kind = kindOf(m, len(modules) > 0)
	if f.Kind.Artifact() {
		return classifyArtifact(f, config, modules)
	}
	if err := json.Unmarshal(config, &f.Config); err != nil {
		return Format{}, invalid("the image's configuration is not JSON of an image: %v", err)
	}
	if len(others) > 0 {
		return Format{}, invalid("the image has a layer of type %q, which Wherry can't unpack", others[0].MediaType)
	}
	switch f.Kind {
	case SoloCompat:
		f.Path = "/plugin.wasm"
	case WasmLayers:
		if err := oneModule(f.Kind, modules); err != nil {
			return Format{}, err
		}
		f.Module = &modules[0]
		f.Path = layerPath(modules[0], f.Config.Config)
	}
	// Layers and diff_ids belong together one to one; raw Wasm layers may be
	// left out of diff_ids, or be in it.
	if n := len(f.Config.RootFS.DiffIDs); n != len(f.Layers) && n != len(m.Layers) {
		return Format{}, invalid("the image's configuration lists %d diff_ids for %d layers", n, len(f.Layers))
	} else if n != len(f.Layers) {
		f.Config.RootFS.DiffIDs = tarDiffIDs(m, f.Config)
	}
	return f, nil
}

// kindOf decides by the configuration's media type, then by the layers.
func kindOf(m ocispec.Manifest, raw bool) Kind {
	switch m.Config.MediaType {
	case MediaTypeConfigV0:
		return CNCF
	case MediaTypeConfigV1:
		return Wkg
	case MediaTypeSoloConfig:
		return Solo
	case ocispec.MediaTypeImageConfig, "application/vnd.docker.container.image.v1+json", "":
	default:
		if raw {
			return Bare
		}
	}
	switch {
	case raw:
		return WasmLayers
	case m.Annotations[AnnotationVariant] == "compat":
		return SoloCompat
	}
	return Plain
}

// classifyArtifact finds an artifact's one module.
func classifyArtifact(f Format, config []byte, modules []ocispec.Descriptor) (Format, error) {
	if err := oneModule(f.Kind, modules); err != nil {
		return Format{}, err
	}
	if len(f.Layers) > 0 {
		return Format{}, invalid("the %s has a tar layer beside its module", f.Kind)
	}
	f.Module = &modules[0]
	f.Path = layerPath(modules[0], ocispec.ImageConfig{})
	f.Config.OS, f.Config.Architecture = "wasi", "wasm"
	if f.Kind == Bare || len(config) == 0 { // wasm-to-oci writes an empty one
		return f, nil
	}
	var c artifactConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return Format{}, invalid("the %s's configuration is not the JSON it should be: %v", f.Kind, err)
	}
	f.Config.Created, f.Config.Author = c.Created, c.Author
	if c.OS != "" {
		f.Config.OS = c.OS
	}
	if c.Architecture != "" {
		f.Config.Architecture = c.Architecture
	}
	return f, nil
}

// oneModule refuses images with more modules than one: nothing says which is
// the program.
func oneModule(k Kind, modules []ocispec.Descriptor) error {
	if len(modules) == 1 {
		return nil
	}
	return invalid("the %s has %d Wasm layers; exactly one is the program", k, len(modules))
}

// layerPath is where a raw module goes in the root filesystem: by its title,
// by the entrypoint of an image made of Wasm layers, or DefaultPath. The
// result is absolute and clean.
func layerPath(d ocispec.Descriptor, c ocispec.ImageConfig) string {
	for _, name := range append([]string{d.Annotations[ocispec.AnnotationTitle]}, firstArg(c)...) {
		file, _, _ := strings.Cut(name, "#")
		p := path.Clean("/" + file)
		if p == "/" || len(p) > 1024 || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
			continue
		}
		if !strings.HasSuffix(p, ".wasm") && !strings.HasSuffix(p, ".wat") {
			continue
		}
		return p
	}
	return DefaultPath
}

// firstArg is the program of an ordinary configuration, if it names one.
func firstArg(c ocispec.ImageConfig) []string {
	if args := append(append([]string{}, c.Entrypoint...), c.Cmd...); len(args) > 0 {
		return args[:1]
	}
	return nil
}

// isWasmLayer reports whether a layer is a bare module or component.
func isWasmLayer(mediaType string) bool {
	switch mediaType {
	case MediaTypeWasm, MediaTypeContent, MediaTypeComponent, MediaTypeSoloContent:
		return true
	}
	return false
}

// IsTarLayer reports whether a layer is a tar archive, plain or compressed by
// gzip or zstd, of OCI's or Docker's media types.
func IsTarLayer(mediaType string) bool {
	switch mediaType {
	case ocispec.MediaTypeImageLayer, ocispec.MediaTypeImageLayerGzip, ocispec.MediaTypeImageLayerZstd,
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.diff.tar.zstd",
		"application/vnd.docker.image.rootfs.foreign.diff.tar",
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip":
		return true
	}
	return false
}

// tarDiffIDs drops the diff_ids of raw Wasm layers.
func tarDiffIDs(m ocispec.Manifest, c ocispec.Image) (ids []digest.Digest) {
	for i, l := range m.Layers {
		if IsTarLayer(l.MediaType) {
			ids = append(ids, c.RootFS.DiffIDs[i])
		}
	}
	return ids
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), errdefs.ErrInvalidArgument)
}
