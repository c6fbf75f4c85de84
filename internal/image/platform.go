package image

import (
	"slices"
	"strings"

	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// DefaultPlatform is what Wherry writes into the images it builds: the name
// that Docker's documentation uses.
var DefaultPlatform = ocispec.Platform{OS: "wasi", Architecture: "wasm"}

// The names that mean WebAssembly with WASI, the commonest first. Docker's
// documentation says wasi/wasm, its first preview said wasi/wasm32, and the
// CNCF's artifacts say wasip1/wasm and wasip2/wasm.
var (
	wasmOS   = []string{"wasi", "wasip1", "wasip2"}
	wasmArch = []string{"wasm", "wasm32"}
)

// IsWasm reports whether a platform is one of the names of WebAssembly with
// WASI.
func IsWasm(p ocispec.Platform) bool {
	return slices.Contains(wasmOS, strings.ToLower(p.OS)) && slices.Contains(wasmArch, strings.ToLower(p.Architecture))
}

// Parse reads a platform as users write it. Beside what Docker takes, "wasm",
// "wasi" and their like alone mean wasi/wasm. Errors wrap
// errdefs.ErrInvalidArgument.
func Parse(platform string) (ocispec.Platform, error) {
	lower := strings.ToLower(platform)
	if slices.Contains(wasmOS, lower) || slices.Contains(wasmArch, lower) {
		return DefaultPlatform, nil
	}
	p, err := platforms.Parse(platform)
	if err != nil {
		return p, invalid("platform %q is not of the form OS/ARCH, such as wasi/wasm (%v)", platform, err)
	}
	return p, nil
}

// Matcher matches the platform a user asked for. Every name of WebAssembly
// matches every other, the nearest first; "" matches all of them. Errors wrap
// errdefs.ErrInvalidArgument.
func Matcher(platform string) (platforms.MatchComparer, error) {
	if platform == "" {
		return wasm{want: DefaultPlatform}, nil
	}
	p, err := Parse(platform)
	if err != nil {
		return nil, err
	}
	if IsWasm(p) {
		return wasm{want: p}, nil
	}
	return platforms.OnlyStrict(p), nil
}

// wasm matches WebAssembly under all its names.
type wasm struct{ want ocispec.Platform }

var _ platforms.MatchComparer = wasm{}

// Match implements platforms.Matcher.
func (w wasm) Match(p ocispec.Platform) bool { return IsWasm(p) }

// Less implements platforms.MatchComparer: the wanted name, then wanted OS,
// then core modules before wasip2, which usually means a component.
func (w wasm) Less(a, b ocispec.Platform) bool { return w.rank(a) < w.rank(b) }

func (w wasm) rank(p ocispec.Platform) int {
	os, arch := strings.ToLower(p.OS), strings.ToLower(p.Architecture)
	switch {
	case !IsWasm(p):
		return 10
	case os == w.want.OS && arch == w.want.Architecture:
		return 0
	case os == w.want.OS:
		return 1
	}
	return 2 + slices.Index(wasmOS, os)
}
