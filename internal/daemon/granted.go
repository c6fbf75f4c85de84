//go:build linux

package daemon

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"

	"wherry/internal/daemon/admit"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/spec"
	"wherry/internal/module"
	"wherry/internal/shim/bundle"
	"wherry/internal/store"
)

// mayCache keeps what images' programs may, by the manifests' digests.
type mayCache struct {
	mu  sync.Mutex
	may map[string]Sandbox
}

// maxMay bounds the cache: beyond, it begins anew.
const maxMay = 1024

// ContainerSandbox answers what a container's guest could do and what it was
// given.
func (d *Daemon) ContainerSandbox(_ context.Context, id string) (Sandbox, error) {
	c, err := d.find(id)
	if err != nil {
		return Sandbox{}, err
	}
	rec := c.snapshot()
	s := mayOf(d.inspectOwn(rec))
	s.Granted, err = d.granted(rec)
	return s, err
}

// mayOf is what a module may.
func mayOf(info *module.Info, err error) Sandbox {
	if err != nil {
		return Sandbox{Unknown: err.Error()}
	}
	may := info.Capabilities()
	if may == nil {
		may = []string{}
	}
	return Sandbox{May: may}
}

// inspectOwn looks at the module that a container runs, by its own files and
// mounts.
func (d *Daemon) inspectOwn(rec record.Container) (*module.Info, error) {
	t, err := d.openTree(rec, true)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	return programIn(t, &rec)
}

// ImageSandbox answers what an image's program could do.
func (d *Daemon) ImageSandbox(ctx context.Context, ref, platform string) (Sandbox, error) {
	img, err := d.store.Get(ctx, ref, platform)
	if err != nil {
		return Sandbox{}, err
	}
	key := img.ManifestDesc.Digest.String()
	d.may.mu.Lock()
	s, ok := d.may.may[key]
	d.may.mu.Unlock()
	if ok {
		return s, nil
	}
	if s = mayOf(d.inspectImage(ctx, img)); s.Unknown != "" {
		return s, nil // the next time may go better
	}
	d.may.mu.Lock()
	defer d.may.mu.Unlock()
	if d.may.may == nil || len(d.may.may) >= maxMay {
		d.may.may = map[string]Sandbox{}
	}
	d.may.may[key] = s
	return s, nil
}

func (d *Daemon) inspectImage(ctx context.Context, img store.Image) (*module.Info, error) {
	cfg, err := containerConfig(ctx, d.store.Content(), img)
	if err != nil {
		return nil, err
	}
	tree, err := d.store.Tree(ctx, img)
	if err != nil {
		return nil, err
	}
	args := append(slices.Clone(cfg.Entrypoint), cfg.Cmd...)
	if len(args) == 0 {
		return nil, fmt.Errorf("the image names no program")
	}
	return inspectProgram(&record.Container{Image: record.Image{Tree: tree.Path}, Config: cfg, Path: args[0], Args: args[1:]})
}

// granted tells what a container was given.
func (d *Daemon) granted(rec record.Container) (*Granted, error) {
	set, err := admit.Capabilities(rec.HostConfig.CapAdd, rec.HostConfig.CapDrop)
	if err != nil {
		return nil, err
	}
	who, err := identity(&rec)
	if err != nil {
		return nil, err
	}
	if who.UID != 0 {
		set = nil // see spec.New
	}
	if !hasCapability(unix.CAP_SETGID) {
		who.Groups = []uint32{who.GID}
	}
	sources, err := d.sources(rec)
	if err != nil {
		return nil, err
	}
	g := &Granted{
		Engine: spec.Engine(rec.HostConfig.Runtime), Root: access(!rec.HostConfig.ReadonlyRootfs), Mounts: []GrantedMount{},
		Network: admit.NetworkModeOf(rec.Config, rec.HostConfig), Publish: publishedList(rec),
		User:         GrantedUser{UID: who.UID, GID: who.GID, Groups: who.Groups},
		Capabilities: admit.Granted(set),
		Limits:       limitsOf(rec.HostConfig.Resources, d.machine),
	}
	if g.Engine == "" {
		g.Engine = d.standing().DefaultEngine
	}
	annotations := rec.HostConfig.Annotations
	if annotations[bundle.Files] == bundle.NoFiles {
		g.Root = "none"
	}
	g.Connect = connectOf(g.Network, annotations[bundle.Connect])
	for _, m := range rec.Mounts {
		g.Mounts = append(g.Mounts, GrantedMount{Destination: m.Destination, Source: sources[m.Destination], Access: access(m.RW)})
	}
	g.Walls, g.Missing = wallNames(d.standing(), os.Geteuid() == 0, g.Network)
	if g.Limits.Cgroup != "" {
		g.Walls = append(g.Walls, "cgroup")
	}
	return g, nil
}

func access(write bool) string {
	if write {
		return "read-write"
	}
	return "read-only"
}

// connectOf says in one word, or by the user's own list, what a guest may
// connect to.
func connectOf(network, annotation string) string {
	list, err := bundle.ConnectList(annotation)
	switch {
	case network == "none" || err == nil && annotation != "" && len(list) == 0:
		return "nothing"
	case err == nil && annotation != "":
		return strings.Join(list, ",")
	case network == "host":
		return "anything"
	default:
		return "outside"
	}
}

// publishedList lists the ports as docker ps does.
func publishedList(rec record.Container) []string {
	list := []string{}
	ports := rec.Ports
	if ports == nil {
		ports = rec.HostConfig.PortBindings
	}
	for port, bindings := range ports {
		for _, b := range bindings {
			host := b.HostPort
			if host == "" {
				host = "0"
			}
			at := ""
			if b.HostIP.IsValid() {
				at = b.HostIP.String() + ":"
			}
			list = append(list, at+host+"->"+port.String())
		}
	}
	slices.Sort(list)
	return list
}

// wallNames tells which walls stand around a guest with that network on this
// machine, and which don't.
func wallNames(w bundle.Walls, root bool, network string) (standing, missing []string) {
	standing = []string{"wasi-host", "process", "no-new-privileges"}
	for _, wall := range wallsOf(root) {
		switch {
		case wall.key == "netns" && network != "none":
		case wall.stands(w):
			standing = append(standing, wall.key)
		default:
			missing = append(missing, wall.key)
		}
	}
	return standing, missing
}

// limitsOf lists the limits that hold on this machine.
func limitsOf(r container.Resources, m func() admit.Machine) GrantedLimits {
	l := GrantedLimits{}
	for _, u := range r.Ulimits {
		l.Ulimits = append(l.Ulimits, u.String())
	}
	if !admit.Limited(r) {
		return l
	}
	machine := m()
	held, cgroup := admit.Enforced(r, machine)
	if cgroup {
		l.Cgroup = machine.Cgroup
	}
	if l.Memory = held.Memory; l.Memory > 0 {
		l.MemoryBy = []string{"engine"}
		if slices.Contains(machine.Features, admit.FeatureMemory) && cgroup {
			l.MemoryBy = append(l.MemoryBy, "cgroup")
		}
	}
	l.MemorySwap, l.MemoryReservation = held.MemorySwap, held.MemoryReservation
	l.NanoCPUs, l.CPUShares, l.CPUPeriod, l.CPUQuota = held.NanoCPUs, held.CPUShares, held.CPUPeriod, held.CPUQuota
	l.CpusetCpus, l.CpusetMems, l.BlkioWeight = held.CpusetCpus, held.CpusetMems, held.BlkioWeight
	if held.PidsLimit != nil && *held.PidsLimit > 0 {
		l.PidsLimit = max(*held.PidsLimit, bundle.LeastTasks)
	}
	return l
}
