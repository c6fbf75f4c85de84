package store

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/errdefs"
	cliconfig "github.com/docker/cli/cli/config"
	"github.com/moby/moby/api/types/registry"
)

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
