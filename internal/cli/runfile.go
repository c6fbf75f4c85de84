package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/cli/cli"
	"github.com/docker/cli/cli/command"
	"github.com/moby/moby/client"
	"github.com/moby/moby/client/pkg/jsonmessage"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

// runFiles lets run and create take a module's file in an image's place.
func runFiles(root *cobra.Command, docker command.Cli) {
	for _, path := range [][]string{{"run"}, {"create"}, {"container", "run"}, {"container", "create"}} {
		c, _, err := root.Find(path)
		if err != nil || c.RunE == nil {
			continue // TestVerbs tells
		}
		original := c.RunE
		c.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && isFile(args[0]) {
				name, err := loadFile(cmd.Context(), docker.Client(), args[0])
				if err != nil {
					return cli.StatusError{Cause: err, StatusCode: exitOf(err)}
				}
				args[0] = name
			}
			err := original(cmd, args)
			if err != nil && !errors.As(err, new(cli.StatusError)) && !errdefs.IsCanceled(err) {
				err = cli.StatusError{Cause: err, StatusCode: 125} // the container did not come to run
			}
			return err
		}
	}
}

// exitOf is docker's exit code for a program that can't be had.
func exitOf(err error) int {
	if errors.Is(err, fs.ErrNotExist) {
		return 127
	}
	return 125
}

// isFile tells a module's file from an image's name. A path that says so
// (./app.wasm) is one even where nothing is there; a bare name with a module's
// ending is one if the file exists; everything else is an image.
func isFile(arg string) bool {
	if filepath.IsAbs(arg) || strings.HasPrefix(arg, "./") || strings.HasPrefix(arg, "../") {
		return true
	}
	if !strings.HasSuffix(arg, ".wasm") && !strings.HasSuffix(arg, ".wat") {
		return false
	}
	st, err := os.Stat(arg)
	return err == nil && st.Mode().IsRegular()
}

// loadFile gives the engine a module as an image of one file and answers the
// image's name, which comes from the content: the same file is the same image,
// and is sent once.
func loadFile(ctx context.Context, api client.APIClient, path string) (string, error) {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no file %s to run: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return "", err
	}
	if !st.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no file: run wants a module, such as ./app.wasm, or an image's name", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum, err := digest.SHA256.FromReader(f)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	base := filepath.Base(path)
	name := "localhost/" + repository(base) + ":" + sum.Encoded()[:12]
	if _, err := api.ImageInspect(ctx, name); err == nil {
		return name, nil
	} else if !errdefs.IsNotFound(err) {
		return "", err
	}
	archive := fileImage(name, base, f, st.Size())
	defer archive.Close()
	res, err := api.ImageLoad(ctx, archive, client.ImageLoadWithQuiet(true))
	if err != nil {
		return "", fmt.Errorf("load %s: %w", path, err)
	}
	defer res.Close()
	var said strings.Builder
	if err := jsonmessage.DisplayStream(res, &said); err != nil {
		return "", fmt.Errorf("load %s: %w", path, err)
	}
	return name, nil
}

// repository makes a file's name fit for an image's (distribution's grammar:
// lower case and digits, single . _ - between).
func repository(file string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(file, ".wasm"), ".wat")) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if s := b.String(); s != "" && s[len(s)-1] != '-' {
			b.WriteByte('-')
		}
	}
	if name := strings.Trim(b.String(), "-"); name != "" {
		return name
	}
	return "module"
}
