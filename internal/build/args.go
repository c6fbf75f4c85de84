package build

import (
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/image"
)

// proxyArgs may be given without an ARG, and are seen by RUN only
// (docs.docker.com/reference/dockerfile, "Predefined ARGs").
var proxyArgs = []string{
	"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY", "ftp_proxy",
	"NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy",
}

// envs are the variables an instruction sees: arguments, and over them the
// environment.
func (d *dockerfile) envs(env []string, args map[string]string) shell.EnvGetter {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(args)) {
		all = append(all, k+"="+args[k])
	}
	return shell.EnvsFromSlice(append(all, env...))
}

// expand fills in the variables of a word.
func (d *dockerfile) expand(word string, env []string, args map[string]string) (string, error) {
	out, _, err := d.lex.ProcessWord(word, d.envs(env, args))
	if err != nil {
		return "", invalid("%w", err)
	}
	return out, nil
}

// platform is the wanted one of the image.
func (b *builder) platform() ocispec.Platform {
	p, err := image.Parse(b.Platform)
	if b.Platform == "" || err != nil { // Run has checked it
		return image.DefaultPlatform
	}
	return p
}

// globals are the arguments before the first FROM, with the platforms.
func (b *builder) globals() (map[string]string, error) {
	p := b.platform()
	host := ocispec.Platform{OS: "linux", Architecture: runtime.GOARCH}
	g := map[string]string{
		"TARGETPLATFORM": platforms.Format(p), "TARGETOS": p.OS, "TARGETARCH": p.Architecture, "TARGETVARIANT": p.Variant,
		"BUILDPLATFORM": platforms.Format(host), "BUILDOS": host.OS, "BUILDARCH": host.Architecture, "BUILDVARIANT": "",
		"TARGETSTAGE": b.Target,
	}
	for _, c := range b.file.args {
		for _, a := range c.Args {
			value, ok := b.given(a.Key)
			if !ok && a.Value != nil {
				var err error
				if value, err = b.file.expand(*a.Value, nil, g); err != nil {
					return nil, b.file.at(c.Location(), err)
				}
				ok = true
			}
			if ok {
				g[a.Key] = value
			}
		}
	}
	return g, nil
}

// given is the value that the user gave to a build argument.
func (b *builder) given(key string) (string, bool) {
	b.used[key] = true
	if v := b.Args[key]; v != nil {
		return *v, true
	}
	return "", false
}

// arg declares build arguments in a stage. One without a value takes that of
// before the first FROM.
func (s *stage) arg(c *instructions.ArgCommand, globals map[string]string) error {
	for _, a := range c.Args {
		value, ok := s.given(a.Key)
		switch global, known := globals[a.Key]; {
		case ok:
		case a.Value != nil:
			value, ok = *a.Value, true
		case known:
			value, ok = global, true
		}
		if ok {
			s.args[a.Key] = value
		}
	}
	s.history(source(c), true)
	return nil
}

// warnUnused says which build arguments no ARG took, as they are often
// misspelt.
func (b *builder) warnUnused() {
	var unused []string
	for k, v := range b.Args {
		if v != nil && !b.used[k] && !slices.Contains(proxyArgs, k) && k != "SOURCE_DATE_EPOCH" && !strings.HasPrefix(k, "BUILDKIT_") {
			unused = append(unused, k)
		}
	}
	if len(unused) > 0 {
		slices.Sort(unused)
		b.out.text("[Warning] One or more build-args [%s] were not consumed\n", strings.Join(unused, " "))
	}
}
