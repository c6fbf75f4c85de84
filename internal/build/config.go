package build

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/docker/go-connections/nat"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/sys/signal"

	"wherry/internal/build/files"
)

// configure carries out an instruction that changes the configuration only.
func (s *stage) configure(c instructions.Command, expand func(string) (string, error)) error {
	config := &s.config.Config
	switch c := c.(type) {
	case *instructions.EnvCommand:
		for _, kv := range c.Env {
			if kv.Key == "" {
				return invalid("ENV has a variable without a name")
			}
			setEnv(&config.Env, kv.Key, kv.Value)
		}
	case *instructions.LabelCommand:
		for _, kv := range c.Labels {
			s.label(kv.Key, kv.Value)
		}
	case *instructions.MaintainerCommand:
		s.config.Author = c.Maintainer
	case *instructions.ExposeCommand:
		return s.expose(c, expand)
	case *instructions.UserCommand:
		config.User = c.User
	case *instructions.VolumeCommand:
		for _, v := range c.Volumes {
			if v = strings.TrimSpace(v); v == "" {
				return invalid("VOLUME has an empty path")
			}
			if config.Volumes == nil {
				config.Volumes = map[string]struct{}{}
			}
			config.Volumes[v] = struct{}{}
		}
	case *instructions.StopSignalCommand:
		if _, err := signal.ParseSignal(c.Signal); err != nil {
			return invalid("STOPSIGNAL: %w", err)
		}
		config.StopSignal = c.Signal
	case *instructions.HealthCheckCommand:
		config.Healthcheck = c.Health
	case *instructions.ShellCommand:
		config.Shell = c.Shell
	case *instructions.CmdCommand:
		args, err := s.command("CMD", c.CmdLine, c.PrependShell)
		if err != nil {
			return err
		}
		config.Cmd, s.cmdSet = args, true
	case *instructions.EntrypointCommand:
		args, err := s.command("ENTRYPOINT", c.CmdLine, c.PrependShell)
		if err != nil {
			return err
		}
		config.Entrypoint = args
		if !s.cmdSet {
			config.Cmd = nil // it was meant for the base's entrypoint
		}
	default:
		return invalid("%s is not built", strings.ToUpper(c.Name()))
	}
	return nil
}

func (s *stage) label(key, value string) {
	if s.config.Config.Labels == nil {
		s.config.Config.Labels = map[string]string{}
	}
	s.config.Config.Labels[key] = value
}

// setEnv sets a variable where it is, or at the end.
func setEnv(env *[]string, key, value string) {
	i := slices.IndexFunc(*env, func(e string) bool { return strings.HasPrefix(e, key+"=") })
	if i < 0 {
		*env = append(*env, key+"="+value)
		return
	}
	(*env)[i] = key + "=" + value
}

func (s *stage) expose(c *instructions.ExposeCommand, expand func(string) (string, error)) error {
	for _, p := range c.Ports {
		p, err := expand(p)
		if err != nil {
			return err
		}
		for _, p := range strings.Fields(p) {
			if strings.Contains(strings.TrimSuffix(p, "]"), ":") {
				return invalid("EXPOSE %s: an image can't choose the host's port; write the container's, and -p when running", p)
			}
			ports, _, err := nat.ParsePortSpecs([]string{p})
			if err != nil {
				return invalid("EXPOSE %s: %w", p, err)
			}
			for port := range ports {
				if s.config.Config.ExposedPorts == nil {
					s.config.Config.ExposedPorts = map[string]struct{}{}
				}
				s.config.Config.ExposedPorts[string(port)] = struct{}{}
			}
		}
	}
	return nil
}

// workdir sets the working folder and makes it.
func (s *stage) workdir(ctx context.Context, c *instructions.WorkdirCommand) error {
	if c.Path == "" {
		return invalid("WORKDIR is empty")
	}
	dir := c.Path
	if !path.IsAbs(dir) {
		dir = path.Join("/", s.config.Config.WorkingDir, dir)
	}
	dir = path.Clean(dir)
	s.config.Config.WorkingDir = dir
	at, n, err := s.tree.Resolve(dir, true)
	if err != nil {
		return err
	}
	if n != nil && n.Type != files.Dir {
		return invalid("WORKDIR %s is a file", dir)
	}
	made, err := s.tree.MakeDirs(at)
	if err != nil {
		return err
	}
	if len(made) == 0 {
		s.history(source(c), true)
		return nil
	}
	changed := map[string]*files.Node{}
	for _, m := range made {
		changed[m], _ = s.tree.Get(m)
	}
	return s.layer(ctx, changed, nil, source(c))
}
