package install

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/pelletier/go-toml/v2"
)

// What stands between these lines of a configuration is Wherry's.
const (
	blockBegin = "# wherry: begin (made by wherry install containerd; wherry uninstall containerd takes it out)\n"
	blockEnd   = "# wherry: end\n"
)

// baseTemplate is how a k3s or RKE2 template takes over what those write.
const baseTemplate = `{{ template "base" . }}` + "\n"

// criPlugin is the plugin that holds CRI's runtimes, by version of the
// configuration (containerd's docs/cri/config.md).
var criPlugin = map[int64]string{
	2: "io.containerd.grpc.v1.cri",
	3: "io.containerd.cri.v1.runtime",
	4: "io.containerd.cri.v1.runtime",
}

// configVersion reads the version of a containerd configuration.
func configVersion(doc []byte) (int64, error) {
	var c struct {
		Version int64 `toml:"version"`
	}
	if err := toml.Unmarshal(doc, &c); err != nil {
		return 0, fmt.Errorf("not valid TOML: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	if _, known := criPlugin[c.Version]; !known {
		return 0, fmt.Errorf("its version is %d; versions 2, 3 and 4 are known: convert it with `containerd config migrate`: %w", c.Version, errdefs.ErrInvalidArgument)
	}
	return c.Version, nil
}

// definedRuntimes are the CRI runtimes that a configuration has.
func definedRuntimes(doc []byte, version int64) ([]string, error) {
	var c map[string]any
	if err := toml.Unmarshal(doc, &c); err != nil {
		return nil, fmt.Errorf("not valid TOML: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	at := c
	for _, key := range []string{"plugins", criPlugin[version], "containerd", "runtimes"} {
		next, ok := at[key].(map[string]any)
		if !ok {
			return nil, nil
		}
		at = next
	}
	var names []string
	for name := range at {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// block is Wherry's part of a configuration: a CRI runtime for each name, and
// the annotations of pods that CRI hands on. With runc, that is among them as
// containerd has it by itself.
func block(version int64, names []string, runc bool) []byte {
	var b bytes.Buffer
	b.WriteString(blockBegin)
	table := fmt.Sprintf("plugins.%q.containerd.runtimes", criPlugin[version])
	if runc {
		fmt.Fprintf(&b, "[%s.runc]\n  runtime_type = \"io.containerd.runc.v2\"\n", table)
	}
	for _, name := range names {
		fmt.Fprintf(&b, "[%s.%s]\n  runtime_type = \"io.containerd.%s.v1\"\n  pod_annotations = [\"wherry.*\"]\n  container_annotations = [\"wherry.*\"]\n",
			table, name, name)
	}
	b.WriteString(blockEnd)
	return b.Bytes()
}

// withoutBlock cuts Wherry's part out.
func withoutBlock(doc []byte) ([]byte, error) {
	from := bytes.Index(doc, []byte(blockBegin))
	if from < 0 {
		return doc, nil
	}
	n := bytes.Index(doc[from:], []byte(blockEnd))
	if n < 0 {
		return nil, fmt.Errorf("the line %q is there, but not %q: put it back behind what Wherry wrote: %w", strings.TrimSpace(blockBegin), strings.TrimSpace(blockEnd), errdefs.ErrFailedPrecondition)
	}
	return splice(doc, from, from+n+len(blockEnd), nil), nil
}

// withBlock puts Wherry's part at the end, in the place of an earlier one. The
// names that the configuration has already stay as they are, and are not among
// those returned.
func withBlock(doc []byte, version int64, names []string, template bool) (_ []byte, added []string, err error) {
	rest, err := withoutBlock(doc)
	if err != nil {
		return nil, nil, err
	}
	runc := false
	if !template {
		taken, err := definedRuntimes(rest, version)
		if err != nil {
			return nil, nil, err
		}
		// To containerd 1, runtimes that a configuration names are all that there
		// are: its CRI plugin would not load without the default one.
		runc = version == 2 && len(taken) == 0
		names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(taken, n) })
	}
	if len(names) == 0 {
		return rest, nil, nil
	}
	if n := len(rest); n > 0 && rest[n-1] != '\n' {
		rest = append(slices.Clone(rest), '\n')
	}
	out := append(slices.Clone(rest), block(version, names, runc)...)
	if !template {
		if _, err := configVersion(out); err != nil {
			return nil, nil, err
		}
	}
	return out, names, nil
}
