package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
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
	progress                string
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
			if o.progress != "auto" && o.progress != "plain" {
				return fmt.Errorf("--progress: got %q, want auto (one line on a terminal) or plain", o.progress)
			}
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
	flags.StringVar(&o.progress, "progress", "auto", `How to show the steps: "auto" is one line on a terminal, "plain" keeps them all`)
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
	// The variable of reproducible-builds.org, which the toolchain reads too.
	if epoch, ok := os.LookupEnv("SOURCE_DATE_EPOCH"); ok {
		if _, given := request.BuildArgs["SOURCE_DATE_EPOCH"]; !given {
			request.BuildArgs["SOURCE_DATE_EPOCH"] = &epoch
		}
	}
	if o.platform != "" {
		p, err := platforms.Parse(o.platform)
		if err != nil {
			return fmt.Errorf("--platform: %w", err)
		}
		request.Platforms = []ocispec.Platform{p}
	}
	said := &steps{out: docker.Err()}
	var kept strings.Builder
	switch {
	case o.quiet: // what was said matters only if it fails
		said.out = &kept
	case o.progress != "plain" && docker.Err().IsTerminal():
		_, width := docker.Err().GetTtySize()
		said.width = int(width)
	}
	image, err := buildImage(ctx, docker, o, request, said)
	err = errors.Join(err, said.end())
	if err != nil {
		fmt.Fprint(docker.Err(), kept.String())
		return err
	}
	if o.quiet {
		fmt.Fprintln(docker.Out(), image.ID)
		return nil
	}
	fmt.Fprintln(docker.Out(), image.summary(o.tags.GetSlice()))
	return nil
}

// buildImage sends the folder and shows the steps.
func buildImage(ctx context.Context, docker command.Cli, o buildOptions, request client.ImageBuildOptions, said *steps) (image built, err error) {
	source, err := source.Open(ctx, source.Options{Dir: o.dir, Dockerfile: o.dockerfile, Stdin: docker.In(), Log: said})
	if err != nil {
		return image, err
	}
	defer source.Tar.Close()
	request.Dockerfile = source.Dockerfile
	res, err := docker.Client().ImageBuild(ctx, source.Tar, request)
	if err != nil {
		return image, err
	}
	defer res.Body.Close()

	var badAux error
	aux := jsonmessage.WithAuxCallback(func(m jsonstream.Message) {
		if err := json.Unmarshal(*m.Aux, &image); err != nil {
			badAux = fmt.Errorf("read the engine's answer: %w", err)
		}
	})
	// The steps go to stderr: stdout has one line.
	err = jsonmessage.DisplayStream(res.Body, said, aux, jsonmessage.WithMessagePrinter(said.message))
	var failed *jsonstream.Error
	switch {
	case errors.As(err, &failed):
		return image, errors.New(failed.Message)
	case err != nil:
		return image, fmt.Errorf("read the engine's answer: %w", err)
	case badAux != nil:
		return image, badAux
	case image.ID == "":
		return image, errors.New("the engine ended the build without naming the image")
	}
	return image, nil
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
