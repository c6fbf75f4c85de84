package spec

import (
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"wherry/internal/daemon/admit"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/users"
)

// defaultPath is what Docker gives every Linux container.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// process is what the container's process is and what it may.
func process(c *record.Container, p Places) (*specs.Process, error) {
	set, err := admit.Capabilities(c.HostConfig.CapAdd, c.HostConfig.CapDrop)
	if err != nil {
		return nil, err
	}
	security, err := admit.SecurityOf(c.HostConfig)
	if err != nil {
		return nil, err
	}
	out := &specs.Process{
		Terminal: c.Config.Tty,
		Args:     append([]string{c.Path}, c.Args...),
		Env:      Env(c, p.User.Home),
		Cwd:      "/",
		User:     userOf(c.Config.User, p.User),
		// A guest makes no system calls, and what runs it executes nothing.
		NoNewPrivileges: true,
		Capabilities:    capabilities(set, p.User.UID),
	}
	if c.Config.WorkingDir != "" {
		out.Cwd = c.Config.WorkingDir
	}
	if size := c.HostConfig.ConsoleSize; c.Config.Tty && size[0] > 0 && size[1] > 0 {
		out.ConsoleSize = &specs.Box{Height: size[0], Width: size[1]}
	}
	for _, u := range c.HostConfig.Ulimits {
		out.Rlimits = append(out.Rlimits, specs.POSIXRlimit{
			Type: "RLIMIT_" + strings.ToUpper(u.Name), Soft: uint64(u.Soft), Hard: uint64(u.Hard), // -1 is no limit in both
		})
	}
	if c.HostConfig.OomScoreAdj != 0 {
		score := admit.OOMScore(c.HostConfig, p.Machine)
		out.OOMScoreAdj = &score
	}
	if name := security.AppArmor; name != "" && p.Machine().AppArmor {
		out.ApparmorProfile = name
	}
	return out, nil
}

// userOf is an identity in the specification's form.
func userOf(name string, id users.Identity) specs.User {
	return specs.User{UID: id.UID, GID: id.GID, AdditionalGids: id.Groups, Username: name}
}

// capabilities gives a set to root whole, and to other users only as a bound,
// which is what execve(2) leaves them under Docker.
func capabilities(set []string, uid uint32) *specs.LinuxCapabilities {
	if uid != 0 {
		return &specs.LinuxCapabilities{Bounding: set}
	}
	return &specs.LinuxCapabilities{Bounding: set, Effective: set, Permitted: set}
}

// Env is the guest's environment: Docker's own variables, over which the
// image's and the request's win. home is the user's folder.
func Env(c *record.Container, home string) []string {
	env := []string{"PATH=" + defaultPath, "HOSTNAME=" + c.Config.Hostname}
	if c.Config.Tty {
		env = append(env, "TERM=xterm")
	}
	for _, e := range c.Config.Env {
		key, _, set := strings.Cut(e, "=")
		at := slices.IndexFunc(env, func(o string) bool { return strings.HasPrefix(o, key+"=") })
		switch {
		case !set && at >= 0: // a bare NAME takes the variable away
			env = slices.Delete(env, at, at+1)
		case !set:
		case at >= 0:
			env[at] = e
		default:
			env = append(env, e)
		}
	}
	if !slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "HOME=") }) {
		if home == "" {
			home = "/"
		}
		env = append(env, "HOME="+home)
	}
	return env
}
