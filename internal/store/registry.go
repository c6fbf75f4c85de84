package store

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	dockerconfig "github.com/containerd/containerd/v2/core/remotes/docker/config"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	cliconfig "github.com/docker/cli/cli/config"
	"github.com/moby/moby/api/types/registry"

	"wherry/internal/buildinfo"
)

const (
	// hub is Docker Hub's name in references, hubHost the host that serves it,
	// hubKey its name in Docker's configuration file.
	hub     = "docker.io"
	hubHost = "registry-1.docker.io"
	hubKey  = "https://index.docker.io/v1/"
)

// errNoSeek makes content.Copy read and drop what it has already.
var errNoSeek = errors.New("the download can't continue at an offset")

// transportHook lets tests redirect connections.
type transportHook func(*http.Transport)

// certDirs are the folders with a folder per registry, holding hosts.toml as
// containerd reads it or certificates as Docker does, the first found first.
func (s *Store) certDirs() []string {
	dirs := []string{filepath.Join(filepath.Dir(s.root), "certs.d")}
	if c, err := os.UserConfigDir(); err == nil {
		dirs = append(dirs, filepath.Join(c, "docker", "certs.d"))
	}
	return append(dirs, "/etc/docker/certs.d")
}

// hostDir finds a registry's folder of settings.
func (s *Store) hostDir(host string) (string, error) {
	for _, root := range s.certDirs() {
		if dir, err := dockerconfig.HostDirFromRoot(root)(host); err == nil || !errdefs.IsNotFound(err) {
			return dir, err
		}
	}
	return "", errdefs.ErrNotFound
}

// resolver talks to the registry of a name: TLS with the machine's and private
// authorities, proxies from the environment, plain HTTP for localhost, mirrors
// from hosts.toml, and credentials when asked for them.
func (s *Store) resolver(ctx context.Context, registryHost string, auth *registry.AuthConfig, r *reporter) remotes.Resolver {
	return docker.NewResolver(docker.ResolverOptions{
		Hosts:   s.hosts(ctx, registryHost, auth, r),
		Headers: http.Header{"User-Agent": []string{"wherry/" + buildinfo.Version}},
	})
}

func (s *Store) hosts(ctx context.Context, registryHost string, auth *registry.AuthConfig, r *reporter) docker.RegistryHosts {
	hosts := dockerconfig.ConfigureHosts(ctx, dockerconfig.HostOptions{
		HostDir: s.hostDir,
		Credentials: func(host string) (string, string, error) {
			if auth != nil && *auth != (registry.AuthConfig{}) {
				// What the user gave for one registry is not for its mirrors.
				if sameRegistry(host, registryHost) {
					return secrets(*auth)
				}
			}
			return configSecrets(host, r)
		},
		UpdateClient: func(c *http.Client) error {
			if t, ok := c.Transport.(*http.Transport); ok && s.transport != nil {
				s.transport(t)
			}
			return nil
		},
	})
	if auth == nil || auth.RegistryToken == "" {
		return hosts
	}
	return func(name string) ([]docker.RegistryHost, error) {
		list, err := hosts(name)
		for i := range list {
			if sameRegistry(list[i].Host, registryHost) {
				list[i].Authorizer = bearer(auth.RegistryToken)
			}
		}
		return list, err
	}
}

func sameRegistry(host, name string) bool {
	return host == name || name == hub && host == hubHost
}

// secrets reads user and secret of an AuthConfig as containerd's authorizer
// takes them: a secret without a user is an identity token.
func secrets(a registry.AuthConfig) (string, string, error) {
	if a.IdentityToken != "" {
		return "", a.IdentityToken, nil
	}
	if a.Username == "" && a.Auth != "" {
		b, err := base64.StdEncoding.DecodeString(a.Auth)
		user, pass, ok := strings.Cut(string(b), ":")
		if err != nil || !ok {
			return "", "", fmt.Errorf("the credentials' auth field is not base64 of user:password: %w", errdefs.ErrInvalidArgument)
		}
		return user, strings.TrimRight(pass, "\x00"), nil
	}
	return a.Username, a.Password, nil
}

// configSecrets looks into the Docker configuration of this process's user and
// asks its credential helpers. A helper that fails is reported, and the
// registry is tried without credentials, as the docker CLI does.
func configSecrets(host string, r *reporter) (string, string, error) {
	key := host
	if host == hubHost || host == hub {
		key = hubKey
	}
	// cliconfig.Dir keeps the variable's first value for ever.
	dir := os.Getenv(cliconfig.EnvOverrideConfigDir)
	if dir == "" {
		dir = cliconfig.Dir()
	}
	cfg, err := cliconfig.Load(dir)
	if err != nil {
		r.send(Event{Status: fmt.Sprintf("warning: can't read Docker's configuration, going on without credentials: %v", err)})
		return "", "", nil
	}
	a, err := cfg.GetAuthConfig(key)
	if err != nil {
		r.send(Event{Status: fmt.Sprintf("warning: no credentials for %s from Docker's configuration: %v", host, err)})
		return "", "", nil
	}
	return secrets(registry.AuthConfig{
		Username: a.Username, Password: a.Password, IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken,
	})
}

// bearer is an authorizer with a token that the user has got himself.
type bearer string

// Authorize implements docker.Authorizer.
func (b bearer) Authorize(_ context.Context, req *http.Request) error {
	req.Header.Set("Authorization", "Bearer "+string(b))
	return nil
}

// AddResponses implements docker.Authorizer: there is no other token to try.
func (b bearer) AddResponses(context.Context, []*http.Response) error {
	return fmt.Errorf("the registry refuses the token: %w", docker.ErrInvalidAuthorization)
}

// Login checks credentials with their registry (AuthConfig.ServerAddress, by
// default Docker Hub). Errors: errdefs.ErrUnauthenticated where it refuses
// them.
func (s *Store) Login(ctx context.Context, auth registry.AuthConfig) error {
	ctx = s.context(ctx)
	host := auth.ServerAddress
	for _, p := range []string{"https://", "http://"} {
		host = strings.TrimPrefix(host, p)
	}
	host, _, _ = strings.Cut(host, "/")
	if host == "" || host == "index.docker.io" {
		host = hub
	}
	list, err := s.hosts(ctx, host, &auth, nil)(host)
	if err != nil {
		return err
	}
	for _, h := range list {
		if sameRegistry(h.Host, host) {
			return login(ctx, h)
		}
	}
	return fmt.Errorf("no registry is configured for %s: %w", host, errdefs.ErrNotFound)
}

// login asks for a registry's base until it is let in or refused.
func login(ctx context.Context, h docker.RegistryHost) error {
	var responses []*http.Response
	for range 3 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.Scheme+"://"+h.Host+h.Path+"/", nil)
		if err != nil {
			return err
		}
		if err := h.Authorizer.Authorize(ctx, req); err != nil {
			return refused(err)
		}
		resp, err := h.Client.Do(req)
		if err != nil {
			return err
		}
		// The body is of no use; the connection is, if it was read.
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
		resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusOK:
			return nil
		case resp.StatusCode != http.StatusUnauthorized:
			return fmt.Errorf("login attempt to %s failed with status: %s: %w", req.URL, resp.Status, errdefs.ErrUnknown)
		}
		responses = append(responses, resp)
		if err := h.Authorizer.AddResponses(ctx, responses); err != nil {
			return refused(err)
		}
	}
	return refused(errors.New("the registry keeps asking"))
}

func refused(err error) error {
	return fmt.Errorf("unauthorized: incorrect username or password (%v): %w", err, errdefs.ErrUnauthenticated)
}

// registryError puts a registry's refusal into Docker's words.
func (s *Store) registryError(verb string, n reference.Named, err error) error {
	name := reference.FamiliarString(n)
	var status remoteerrors.ErrUnexpectedStatus
	code := 0
	if errors.As(err, &status) {
		code = status.StatusCode
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, docker.ErrInvalidAuthorization), code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Errorf("%s access denied for %s, repository does not exist or may require 'wherry login' (%v): %w",
			verb, reference.FamiliarName(n), err, errdefs.ErrPermissionDenied)
	case errdefs.IsNotFound(err) && verb == "pull":
		return fmt.Errorf("manifest for %s not found: manifest unknown (%v): %w", name, err, errdefs.ErrNotFound)
	case strings.Contains(err.Error(), "certificate signed by unknown authority"):
		return fmt.Errorf("can't %s %s: %w; put the registry's CA certificate at %s", verb, name, err,
			filepath.Join(s.certDirs()[0], reference.Domain(n), "ca.crt"))
	}
	return s.explain(fmt.Errorf("can't %s %s: %w", verb, name, err))
}
