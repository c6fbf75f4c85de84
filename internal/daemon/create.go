//go:build linux

package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/sys/signal"

	"wherry/internal/daemon/admit"
	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/name"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/spec"
)

// ContainerCreate makes a container. A missing image is errdefs.ErrNotFound, at
// which clients pull it and ask again; a taken name errdefs.ErrConflict; a
// setting that cannot be had errdefs.ErrInvalidArgument.
func (d *Daemon) ContainerCreate(ctx context.Context, o CreateOptions) (container.CreateResponse, error) {
	id := name.NewID()
	undo := func(err error) (container.CreateResponse, error) {
		d.names.Release(id)
		d.volumes.Release(id)
		d.releaseImage(id)
		return container.CreateResponse{}, err
	}
	rec, warnings, err := d.describe(ctx, id, o)
	if err != nil {
		return undo(err)
	}
	if err := d.reserve(rec, strings.TrimPrefix(o.Name, "/")); err != nil {
		return undo(err)
	}
	made, err := d.makeMounts(rec)
	if errors.Is(err, errNoSpace) {
		err = diskWords("create the container's volumes", err)
	}
	if err != nil {
		return undo(errors.Join(err, d.dropVolumes(rec.ID, made)))
	}
	if err := d.records.Create(rec); err != nil {
		return undo(errors.Join(diskWords("create the container", err), d.dropVolumes(rec.ID, made)))
	}
	c := d.newCtr(rec)
	d.mu.Lock()
	d.containers[rec.ID] = c
	d.mu.Unlock()
	c.emit(events.ActionCreate, nil)
	if warnings == nil {
		warnings = []string{} // clients want a list
	}
	return container.CreateResponse{ID: rec.ID, Warnings: warnings}, nil
}

// releaseImage gives up the image's files that were kept for a container.
func (d *Daemon) releaseImage(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), short)
	defer cancel()
	if err := d.images.Release(ctx, id); err != nil {
		d.log.Warn("an image stays held", "container", id, "error", err)
	}
}

// describe merges the request with the image and checks the result.
func (d *Daemon) describe(ctx context.Context, id string, o CreateOptions) (*record.Container, []string, error) {
	r := o.Request
	if r.Config == nil {
		return nil, nil, fault.Invalid("Config cannot be empty in order to create a container")
	}
	if r.Image == "" {
		return nil, nil, fault.Invalid("no image was given to create the container from")
	}
	c, h := *r.Config, container.HostConfig{}
	if r.HostConfig != nil {
		h = *r.HostConfig
	}
	runtime, err := admit.Runtime(h.Runtime)
	if err != nil {
		return nil, nil, err
	}
	if err := networking(r.NetworkingConfig); err != nil {
		return nil, nil, err
	}
	p, err := d.images.Program(ctx, id, c.Image, o.Platform)
	if err != nil {
		return nil, nil, err
	}
	merge(&c, p.Config)
	warnings, err := admit.Check(&c, &h, d.machine)
	if err != nil {
		return nil, nil, err
	}
	args := append(slices.Clone(c.Entrypoint), c.Cmd...)
	if len(args) == 0 {
		return nil, nil, fault.Invalid("no command specified")
	}
	if c.StopSignal != "" {
		if _, err := signal.ParseSignal(c.StopSignal); err != nil {
			return nil, nil, fault.Invalid("%w", err)
		}
	}
	normalize(id, &c, &h, runtime)
	rec := &record.Container{
		ID: id, Created: time.Now().UTC(), Image: p.Image,
		Path: args[0], Args: args[1:], Config: &c, HostConfig: &h,
		State: record.State{Status: container.StateCreated},
	}
	rec.Image.Name = c.Image
	warnings = append(warnings, portWarnings(rec)...)
	if _, err := identity(rec); err != nil {
		return nil, nil, err
	}
	return rec, warnings, spec.Validate(rec, d.machine)
}

// normalize fills in the defaults that inspect shows.
func normalize(id string, c *container.Config, h *container.HostConfig, runtime string) {
	if c.Hostname == "" {
		c.Hostname = id[:12]
	}
	h.Runtime = runtime
	if h.NetworkMode == "" || h.NetworkMode == network.NetworkDefault {
		h.NetworkMode = network.NetworkBridge
	}
	if h.LogConfig.Type == "" {
		h.LogConfig.Type = "json-file"
	}
	if h.LogConfig.Config == nil {
		h.LogConfig.Config = map[string]string{}
	}
	if h.RestartPolicy.Name == "" {
		h.RestartPolicy.Name = container.RestartPolicyDisabled
	}
	// Ports that are published count as exposed.
	exposed := maps.Clone(c.ExposedPorts)
	for p := range h.PortBindings {
		if exposed == nil {
			exposed = network.PortSet{}
		}
		exposed[p] = struct{}{}
	}
	c.ExposedPorts = exposed
}

// networking refuses what only networks could do. Clients name the network of
// the mode here too, with empty settings.
func networking(n *network.NetworkingConfig) error {
	if n == nil {
		return nil
	}
	for name, e := range n.EndpointsConfig {
		switch name {
		case network.NetworkDefault, network.NetworkBridge, network.NetworkNone, network.NetworkHost:
		default:
			return fault.Invalid("network %s: networks are not built yet; there are default (bridge), none and host, and published ports (-p)", name)
		}
		if e == nil {
			continue
		}
		ipam := e.IPAMConfig != nil && (e.IPAMConfig.IPv4Address.IsValid() || e.IPAMConfig.IPv6Address.IsValid() || len(e.IPAMConfig.LinkLocalIPs) > 0)
		if ipam || len(e.Links) > 0 || len(e.MacAddress) > 0 || len(e.DriverOpts) > 0 {
			return fault.Invalid("network %s: --ip, --ip6, --mac-address, --link and driver options need networks, which are not built yet", name)
		}
	}
	return nil
}

// merge adds the image's settings where the request has none, as Docker does.
func merge(c, image *container.Config) {
	if image == nil {
		return
	}
	if c.User == "" {
		c.User = image.User
	}
	if c.WorkingDir == "" {
		c.WorkingDir = image.WorkingDir
	}
	if c.StopSignal == "" {
		c.StopSignal = image.StopSignal
	}
	c.Healthcheck = mergeCheck(c.Healthcheck, image.Healthcheck)
	c.ExposedPorts = union(c.ExposedPorts, image.ExposedPorts)
	c.Volumes = union(c.Volumes, image.Volumes)
	c.Labels = union(c.Labels, image.Labels)
	env := slices.Clone(c.Env)
	for _, e := range image.Env {
		key, _, _ := strings.Cut(e, "=")
		if !slices.ContainsFunc(c.Env, func(o string) bool { k, _, _ := strings.Cut(o, "="); return k == key }) {
			env = append(env, e)
		}
	}
	c.Env = env
	// An entrypoint of the request's own makes the image's command moot;
	// [""] takes the image's entrypoint away.
	if len(c.Entrypoint) == 0 {
		if len(c.Cmd) == 0 {
			c.Cmd = image.Cmd
		}
		if c.Entrypoint == nil {
			c.Entrypoint = image.Entrypoint
		}
	}
	if len(c.Entrypoint) == 1 && c.Entrypoint[0] == "" {
		c.Entrypoint = nil
	}
}

// union is a over b, or nil where both are empty.
func union[M ~map[K]V, K comparable, V any](a, b M) M {
	if len(a) == 0 && len(b) == 0 {
		return a
	}
	m := M{}
	maps.Copy(m, b)
	maps.Copy(m, a)
	return m
}

// reserve gives the record the wanted name, or a generated one.
func (d *Daemon) reserve(rec *record.Container, wanted string) error {
	if wanted == "" {
		rec.Name = d.names.Generate(rec.ID)
		return nil
	}
	rec.Name = wanted
	return d.names.Reserve(wanted, rec.ID)
}

// diskWords makes an error of a full disk plain.
func diskWords(what string, err error) error {
	if errors.Is(err, errNoSpace) {
		return fault.New(errdefs.ErrResourceExhausted, "%s: the disk of the data root is full: free some space (wherry system prune) and try again: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
