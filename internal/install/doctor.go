package install

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
)

// Status is how a finding stands.
type Status string

// The statuses, from best to worst.
const (
	Good Status = "ok"
	Note Status = "note" // works, with a limit
	Bad  Status = "bad"  // does not work
)

// Finding is one thing that Doctor looked at.
type Finding struct {
	Status Status
	// Text says what was found.
	Text string
	// Cure says what to do; empty where nothing is to be done.
	Cure string
}

// DoctorOptions say where to look. Empty fields are found.
type DoctorOptions struct {
	// Host is the address of Docker's API.
	Host string
	// Shim is the program whose walls are asked for.
	Shim string
	// Image, where given, is a reference whose platform is looked at.
	Image string
}

// Doctor finds what keeps Docker Engine and containerd on this machine from
// running WebAssembly containers with Wherry.
func Doctor(ctx context.Context, o DoctorOptions) []Finding {
	var list []Finding
	info, err := askDocker(ctx, o.Host)
	list = append(list, aboutDocker(info, err)...)
	list = append(list, aboutContainerd(ctx)...)
	if err == nil && o.Image != "" {
		list = append(list, aboutImage(ctx, o))
	}
	return append(list, aboutWalls(ctx, o.Shim)...)
}

// aboutDocker looks at Docker Engine.
func aboutDocker(info system.Info, err error) []Finding {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return []Finding{{Bad, "Docker Engine is there, and this user may not talk to it", "run this as root, or as a user of the group docker"}}
	case err != nil:
		return []Finding{{Note, "no Docker Engine answers: " + firstLine(err.Error()), "start it, or name it with --docker-host; without it the embedded engine and containerd still work"}}
	}
	f := Finding{Status: Good, Text: "Docker Engine " + info.ServerVersion}
	if err := checkDockerVersion(info.ServerVersion); err != nil {
		f = Finding{Bad, err.Error(), "upgrade Docker Engine"}
	}
	list := []Finding{f}
	if hasImageStore(info) {
		list = append(list, Finding{Status: Good, Text: "Docker Engine uses containerd's image store"})
	} else {
		list = append(list, Finding{Bad, "Docker Engine uses its old image store, which takes no WebAssembly images", "wherry install docker"})
	}
	if strings.Contains(strings.Join(info.SecurityOptions, " "), "name=rootless") {
		list = append(list, Finding{Note, "Docker Engine runs rootless: what the kernel lets its user do holds for containers", ""})
	}
	return list
}

// aboutContainerd looks at every containerd that runs here.
func aboutContainerd(ctx context.Context) []Finding {
	list, err := processes("containerd")
	if err != nil {
		return []Finding{{Bad, "the processes of this machine cannot be listed: " + err.Error(), "mount /proc"}}
	}
	if len(list) == 0 {
		return []Finding{{Note, "no containerd runs here", "start it, or use the embedded engine, which needs none"}}
	}
	var findings []Finding
	for _, p := range list {
		findings = append(findings, p.findings(ctx)...)
	}
	return findings
}

func (p daemonProcess) findings(ctx context.Context) (list []Finding) {
	who := fmt.Sprintf("containerd (pid %d)", p.pid)
	if p.program != "" {
		version, err := containerdVersion(ctx, p.program)
		switch {
		case err != nil:
			list = append(list, Finding{Note, who + ": its version cannot be told: " + firstLine(err.Error()), ""})
		case olderThan(version, 1, 7):
			list = append(list, Finding{Bad, fmt.Sprintf("%s is version %s; wanted is 1.7 or later", who, version), "upgrade containerd"})
		default:
			list = append(list, Finding{Status: Good, Text: who + " " + version})
		}
	}
	if p.path == nil {
		return append(list, Finding{Note, who + ": its PATH cannot be read", "run this as root"})
	}
	for i, name := range Names {
		file, found := lookup(program(name), p.path)
		runtime := "io.containerd." + name + ".v1"
		switch {
		case found && ours(file):
			list = append(list, Finding{Status: Good, Text: fmt.Sprintf("%s: %s is %s", who, runtime, file)})
		case found:
			list = append(list, Finding{Note, fmt.Sprintf("%s: %s is %s, another project's", who, runtime, file), "take it away and run wherry install again to have Wherry answer"})
		case i == 0:
			list = append(list, Finding{Bad, fmt.Sprintf("%s: no %s on its PATH (%s)", who, program(name), strings.Join(p.path, ":")), "wherry install docker, or wherry install containerd"})
		default:
			list = append(list, Finding{Note, fmt.Sprintf("%s: no %s on its PATH", who, program(name)), "wherry install docker, or wherry install containerd"})
		}
	}
	return list
}

// olderThan compares a version's first two numbers. What is no version counts
// as new.
func olderThan(version string, major, minor int) bool {
	var a, b int
	if n, _ := fmt.Sscanf(version, "%d.%d", &a, &b); n != 2 {
		return false
	}
	return a < major || a == major && b < minor
}

// aboutImage compares an image's platform with what can be asked for.
func aboutImage(ctx context.Context, o DoctorOptions) Finding {
	host := o.Host
	if host == "" {
		host = client.DefaultDockerHost
	}
	c, err := client.New(client.WithHost(host))
	if err != nil {
		return Finding{Bad, err.Error(), ""}
	}
	defer c.Close()
	r, err := c.ImageInspect(ctx, o.Image)
	switch {
	case errdefs.IsNotFound(err):
		return Finding{Bad, "Docker Engine has no image " + o.Image, "docker pull --platform=wasi/wasm " + o.Image}
	case err != nil:
		return Finding{Bad, fmt.Sprintf("Docker Engine cannot say what %s is: %v", o.Image, err), ""}
	}
	platform := r.Os + "/" + r.Architecture
	if !strings.HasPrefix(r.Architecture, "wasm") {
		return Finding{Bad, fmt.Sprintf("%s is of platform %s, which is not WebAssembly", o.Image, platform), "pull or build it for wasi/wasm"}
	}
	return Finding{Status: Good, Text: fmt.Sprintf("%s is of platform %s: Docker compares it to the letter", o.Image, platform), Cure: "run it with --platform=" + platform}
}

// walls is what the shim says of the sandbox on this machine.
type walls struct {
	Why map[string]string `json:"why"`
}

// aboutWalls asks the shim's program which walls stand here.
func aboutWalls(ctx context.Context, shim string) []Finding {
	if shim == "" {
		var err error
		if shim, err = findShim(); err != nil {
			return []Finding{{Bad, err.Error(), ""}}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, shim, "walls").Output()
	var w walls
	if err == nil {
		err = json.Unmarshal(out, &w)
	}
	if err != nil {
		return []Finding{{Bad, fmt.Sprintf("%s cannot say which walls stand: %v", shim, err), "install it again"}}
	}
	if len(w.Why) == 0 {
		return []Finding{{Status: Good, Text: "every wall of the sandbox stands for this user"}}
	}
	var list []Finding
	for _, name := range slices.Sorted(maps.Keys(w.Why)) {
		list = append(list, Finding{Note, fmt.Sprintf("the wall %s does not stand for this user: %s", name, w.Why[name]), ""})
	}
	return list
}

// Print writes findings for people, and tells whether one is bad.
func Print(w io.Writer, list []Finding) (bad bool) {
	for _, f := range list {
		fmt.Fprintf(w, "%-5s %s\n", f.Status, f.Text)
		if f.Cure != "" {
			fmt.Fprintf(w, "      → %s\n", f.Cure)
		}
		bad = bad || f.Status == Bad
	}
	return bad
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
