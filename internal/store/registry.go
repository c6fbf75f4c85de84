package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	dockerconfig "github.com/containerd/containerd/v2/core/remotes/docker/config"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
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
			t, ok := c.Transport.(*http.Transport)
			if !ok {
				return nil // a copy of a client that was here before
			}
			if s.transport != nil {
				s.transport(t)
			}
			c.Transport = &patient{t, s.patience}
			return nil
		},
	})
	return func(name string) ([]docker.RegistryHost, error) {
		list, err := hosts(name)
		turns := map[docker.Authorizer]docker.Authorizer{}
		for i, h := range list {
			if auth != nil && auth.RegistryToken != "" && sameRegistry(h.Host, registryHost) {
				list[i].Authorizer = bearer(auth.RegistryToken)
				continue
			}
			if turns[h.Authorizer] == nil {
				turns[h.Authorizer] = &inTurn{Authorizer: h.Authorizer}
			}
			list[i].Authorizer = turns[h.Authorizer]
		}
		return list, err
	}
}

// inTurn lets one request at a time ask for a token: containerd's authorizer
// (2.2, core/remotes/docker/authorizer.go, doBearerAuth) reads a token's expiry
// while another request may still be writing it.
type inTurn struct {
	mu sync.Mutex
	docker.Authorizer
}

// Authorize implements docker.Authorizer.
func (t *inTurn) Authorize(ctx context.Context, req *http.Request) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.Authorizer.Authorize(ctx, req)
}

func sameRegistry(host, name string) bool {
	return host == name || name == hub && host == hubHost
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
		return fmt.Errorf("manifest for %s not found: manifest unknown; check its name and tag (%v): %w", name, err, errdefs.ErrNotFound)
	case strings.Contains(err.Error(), "certificate signed by unknown authority"):
		return fmt.Errorf("can't %s %s: %w; put the registry's CA certificate at %s", verb, name, err,
			filepath.Join(s.certDirs()[0], reference.Domain(n), "ca.crt"))
	}
	return s.explain(fmt.Errorf("can't %s %s: %w", verb, name, err))
}
