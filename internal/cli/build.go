package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/docker/cli/cli"
	"github.com/docker/cli/cli/command"
	"github.com/docker/cli/opts"
	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client"
	"github.com/moby/moby/client/pkg/jsonmessage"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"wherry/internal/build/source"
)

type buildOptions struct {
	tags, buildArgs, labels opts.ListOpts
	dockerfile, target      string
	platform                string
	noCache, pull, quiet    bool
	dir                     string
}

// newBuildCommand builds an image of a folder. It is not docker's: what the
// folder's Dockerfile copies as app.wasm, or the whole image where there is no
// Dockerfile, is compiled by this machine's toolchain first.
func newBuildCommand(docker command.Cli) *cobra.Command {
	o := buildOptions{
		tags:      opts.NewListOpts(checkTag),
		buildArgs: opts.NewListOpts(opts.ValidateEnv),
		labels:    opts.NewListOpts(opts.ValidateLabel),
	}
	cmd := &cobra.Command{
		Use:   "build [OPTIONS] DIR",
		Short: "Build an image from a Dockerfile, or from the source of a program",
		Args:  cli.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.dir = args[0]
			return runBuild(cmd.Context(), docker, o)
		},
		DisableFlagsInUseLine: true,
	}
	flags := cmd.Flags()
	flags.VarP(&o.tags, "tag", "t", "Name of the image, name:tag")
	flags.StringVarP(&o.dockerfile, "file", "f", "", `Dockerfile ("-" for standard input; default DIR/Dockerfile, if there is one)`)
	flags.Var(&o.buildArgs, "build-arg", "Set a build-time variable")
	flags.Var(&o.labels, "label", "Set metadata of the image")
	flags.StringVar(&o.target, "target", "", "Stage to build")
	flags.StringVar(&o.platform, "platform", "", "Platform of the image, such as wasi/wasm")
	flags.BoolVar(&o.noCache, "no-cache", false, "Run every step again")
	flags.BoolVar(&o.pull, "pull", false, "Ask the registry for newer base images")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "Print only the image's ID")
	return cmd
}

// checkTag refuses a name before anything is compiled for it.
func checkTag(name string) (string, error) {
	if _, err := reference.ParseNormalizedNamed(name); err != nil {
		return "", fmt.Errorf("the image can't be named %q: %w", name, err)
	}
	return name, nil
}

func runBuild(ctx context.Context, docker command.Cli, o buildOptions) error {
	request := client.ImageBuildOptions{
		Tags:        o.tags.GetSlice(),
		BuildArgs:   docker.ConfigFile().ParseProxyConfig(docker.Client().DaemonHost(), opts.ConvertKVStringsToMapWithNil(o.buildArgs.GetSlice())),
		Labels:      opts.ConvertKVStringsToMap(o.labels.GetSlice()),
		Target:      o.target,
		NoCache:     o.noCache,
		PullParent:  o.pull,
		Remove:      true,
		Version:     build.BuilderV1,
		AuthConfigs: credentials(docker),
	}
	if o.platform != "" {
		p, err := platforms.Parse(o.platform)
		if err != nil {
			return fmt.Errorf("--platform: %w", err)
		}
		request.Platforms = []ocispec.Platform{p}
	}
	said := io.Writer(docker.Err())
	var kept strings.Builder
	if o.quiet { // what was said matters only if it fails
		said = &kept
	}
	id, err := buildImage(ctx, docker, o, request, said)
	if err != nil {
		fmt.Fprint(docker.Err(), kept.String())
		return err
	}
	if o.quiet {
		fmt.Fprintln(docker.Out(), id)
		return nil
	}
	line, err := summary(ctx, docker.Client(), id, o.tags.GetSlice())
	if err != nil {
		return err
	}
	fmt.Fprintln(docker.Out(), line)
	return nil
}

// buildImage sends the folder and shows the steps; it gives the image's ID.
func buildImage(ctx context.Context, docker command.Cli, o buildOptions, request client.ImageBuildOptions, said io.Writer) (string, error) {
	source, err := source.Open(ctx, source.Options{Dir: o.dir, Dockerfile: o.dockerfile, Stdin: docker.In(), Log: said})
	if err != nil {
		return "", err
	}
	defer source.Tar.Close()
	request.Dockerfile = source.Dockerfile
	res, err := docker.Client().ImageBuild(ctx, source.Tar, request)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()

	id := ""
	var badAux error
	aux := jsonmessage.WithAuxCallback(func(m jsonstream.Message) {
		var result build.Result
		if err := json.Unmarshal(*m.Aux, &result); err != nil {
			badAux = fmt.Errorf("read the engine's answer: %w", err)
		}
		if result.ID != "" {
			id = result.ID
		}
	})
	// The steps go to stderr, which alone may be a terminal: stdout has one line.
	err = jsonmessage.DisplayStream(res.Body, said, aux)
	var failed *jsonstream.Error
	switch {
	case errors.As(err, &failed):
		return "", errors.New(failed.Message)
	case err != nil:
		return "", fmt.Errorf("read the engine's answer: %w", err)
	case badAux != nil:
		return "", badAux
	case id == "":
		return "", errors.New("the engine ended the build without naming the image")
	}
	return id, nil
}

// credentials are what the docker configuration knows of registries, for the
// base images.
func credentials(docker command.Cli) map[string]registry.AuthConfig {
	all, err := docker.ConfigFile().GetAllCredentials()
	if err != nil {
		// A helper that fails must not stop a build that pulls nothing.
		fmt.Fprintf(docker.Err(), "wherry: registry credentials: %v\n", err)
	}
	out := make(map[string]registry.AuthConfig, len(all))
	for host, a := range all {
		out[host] = registry.AuthConfig{
			Username: a.Username, Password: a.Password, Auth: a.Auth, ServerAddress: a.ServerAddress,
			IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken,
		}
	}
	return out
}
