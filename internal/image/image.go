// Package image knows what an OCI image or artifact says to run: in which of
// the formats found in the wild it carries WebAssembly, for which platform,
// and which file of it is the program.
//
// It reads manifests, configurations and a root filesystem, nothing else: it
// must not know an engine, WASI, the store or a registry. The shim links it,
// so it imports only the standard library, the OCI specifications,
// containerd's platforms and errdefs.
package image

import (
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Media types of the formats that carry Wasm, beside those of ordinary images.
const (
	// MediaTypeWasm is the layer of a CNCF Wasm OCI artifact
	// (tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact).
	MediaTypeWasm = "application/wasm"
	// MediaTypeConfigV0 is the configuration of a CNCF Wasm OCI artifact.
	MediaTypeConfigV0 = "application/vnd.wasm.config.v0+json"
	// MediaTypeConfigV1 and MediaTypeContent are those of older wkg, Spin and
	// of wasm-to-oci.
	MediaTypeConfigV1 = "application/vnd.wasm.config.v1+json"
	MediaTypeContent  = "application/vnd.wasm.content.layer.v1+wasm"
	// MediaTypeComponent is runwasi's layer of a component in an image.
	MediaTypeComponent = "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm"
	// MediaTypeSoloConfig and MediaTypeSoloContent are solo.io's "oci" variant.
	MediaTypeSoloConfig  = "application/vnd.module.wasm.config.v1+json"
	MediaTypeSoloContent = "application/vnd.module.wasm.content.layer.v1+wasm"
)

// AnnotationVariant marks solo.io's "compat" variant on a manifest, and tells
// crun and youki to run a container as Wasm.
const AnnotationVariant = "module.wasm.image/variant"

// Kind is a format in which images carry Wasm.
type Kind int

// The formats.
const (
	// Plain is an ordinary container image whose layers hold .wasm files.
	Plain Kind = iota
	// CNCF is the Wasm OCI artifact of the CNCF's working group.
	CNCF
	// Wkg is the older artifact of wkg, Spin and wasm-to-oci.
	Wkg
	// WasmLayers is runwasi's image whose layers are raw Wasm.
	WasmLayers
	// Solo is solo.io's "oci" variant.
	Solo
	// SoloCompat is solo.io's "compat" variant: an image with /plugin.wasm.
	SoloCompat
	// Bare is an artifact without a configuration, as oras pushes it.
	Bare
)

// String names the format for messages.
func (k Kind) String() string {
	switch k {
	case Plain:
		return "container image"
	case CNCF:
		return "Wasm OCI artifact"
	case Wkg:
		return "Wasm artifact (wkg, wasm-to-oci)"
	case WasmLayers:
		return "container image with Wasm layers"
	case Solo:
		return "Wasm artifact (solo.io)"
	case SoloCompat:
		return "container image (solo.io compat)"
	case Bare:
		return "artifact"
	}
	return "unknown"
}

// Artifact reports whether the format has no root filesystem of its own: the
// module is all there is.
func (k Kind) Artifact() bool {
	return k == CNCF || k == Wkg || k == Solo || k == Bare
}

// Format is what Classify found.
type Format struct {
	Kind Kind
	// Config is the image's configuration; of an artifact only the platform,
	// the author and the time of creation are set.
	Config ocispec.Image
	// Layers are the tar layers to unpack, lowest first.
	Layers []ocispec.Descriptor
	// Module is the layer that is the program, for every kind but Plain and
	// SoloCompat; Path is where it belongs in the root filesystem, absolute.
	Module *ocispec.Descriptor
	// Path is also set for SoloCompat.
	Path string
}
