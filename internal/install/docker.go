package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
)

// Options say what to install where. Empty fields are found.
type Options struct {
	// Shim is the program to install.
	Shim string
	// BinDir is the folder to put it in.
	BinDir string
	// Config is the daemon's configuration.
	Config string
	// Host is the address of Docker's API.
	Host string
	// Yes goes ahead where things would disappear from view.
	Yes bool
	// Out gets what was done, a line each.
	Out io.Writer
}

// DockerConfig is Docker Engine's configuration.
const DockerConfig = "/etc/docker/daemon.json"

// imageStore is the setting that gives Docker Engine containerd's image store,
// without which it takes no images of WebAssembly (docs: containerd image
// store). From version 29 on it is the default of new installations.
var imageStore = []string{"features", "containerd-snapshotter"}

// imageStoreDriver is what `docker info` says of the storage driver then.
const imageStoreDriver = "io.containerd.snapshotter.v1"

const restartDocker = "restart Docker Engine: systemctl restart docker"

// oldestDocker is the first major version that takes any runtime's name.
const oldestDocker = 23

// askDocker asks a Docker Engine what it is.
func askDocker(ctx context.Context, host string) (system.Info, error) {
	if host == "" {
		host = client.DefaultDockerHost
	}
	c, err := client.New(client.WithHost(host))
	if err != nil {
		return system.Info{}, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := c.Info(ctx, client.InfoOptions{})
	return r.Info, err
}

// hasImageStore tells whether Docker Engine uses containerd's image store.
func hasImageStore(info system.Info) bool {
	for _, pair := range info.DriverStatus {
		if pair[0] == "driver-type" && pair[1] == imageStoreDriver {
			return true
		}
	}
	return false
}

// Docker makes Docker Engine run WebAssembly images with Wherry.
func Docker(ctx context.Context, o Options) error {
	shim, err := o.shim()
	if err != nil {
		return err
	}
	config := o.Config
	if config == "" {
		config = DockerConfig
	}
	info, asked := askDocker(ctx, o.Host)
	if asked == nil {
		if err := checkDockerVersion(info.ServerVersion); err != nil {
			return err
		}
	}
	c, err := imageStoreChange(config, asked == nil && hasImageStore(info))
	if err != nil {
		return err
	}
	if c != nil && !o.Yes {
		return fmt.Errorf("%s; %w", hidden(info, asked), errNotConfirmed)
	}
	dir, err := o.binDir("containerd", "dockerd")
	if err != nil {
		return err
	}
	if err := o.install(shim, dir); err != nil {
		return err
	}
	restart := "Docker Engine finds it at once"
	if c != nil {
		if err := c.apply(func() error { return validateDocker(ctx, config) }); err != nil {
			return o.withdraw(dir, err)
		}
		fmt.Fprintf(o.Out, "%s: features.containerd-snapshotter is true\n", config)
		restart = restartDocker
	}
	fmt.Fprintf(o.Out, "%s, then: docker run --runtime=io.containerd.wherry.v1 --platform=wasi/wasm IMAGE\n", restart)
	return remember("docker", record{BinDir: dir, Change: c.record(), Restart: restartDocker})
}

// errNotConfirmed asks for --yes.
var errNotConfirmed = errdefs.ErrFailedPrecondition.WithMessage("to go ahead say so with --yes")

// hidden says what disappears from view when the image store is switched.
func hidden(info system.Info, err error) string {
	const text = "Docker Engine needs containerd's image store for WebAssembly images, and switching to it hides "
	if err != nil {
		return fmt.Sprintf("%simages and containers that are there now; how many cannot be told, since it does not answer (%v)", text, err)
	}
	return fmt.Sprintf("%s%d images and %d containers of the present store until it is switched back", text, info.Images, info.Containers)
}

// imageStoreChange is the change of daemon.json that switches the image store;
// nil where there is nothing to change.
func imageStoreChange(path string, on bool) (*change, error) {
	data, exists, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	have, err := getJSON(data, imageStore)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if string(have) == "true" || on && have == nil {
		return nil, nil
	}
	after, err := setJSON(data, imageStore, true)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &change{path: path, before: data, existed: exists, after: after}, nil
}

// validateDocker lets the daemon itself check its configuration, if its
// program is here.
func validateDocker(ctx context.Context, config string) error {
	data, _, err := readConfig(config)
	if err == nil {
		err = checkJSON(data)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", config, err)
	}
	dockerd, err := exec.LookPath("dockerd")
	if err != nil {
		return nil // it is elsewhere, or in a package that hides it
	}
	out, err := exec.CommandContext(ctx, dockerd, "--validate", "--config-file", config).CombinedOutput()
	if err != nil {
		return fmt.Errorf("dockerd does not take %s: %s", config, lastLine(out))
	}
	return nil
}

// checkDockerVersion refuses versions that take no runtime by name.
func checkDockerVersion(version string) error {
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil && n < oldestDocker && n > 0 {
		return fmt.Errorf("Docker Engine is version %s; wanted is %d or later, and 24 or later for containerd's image store: %w", version, oldestDocker, errdefs.ErrFailedPrecondition)
	}
	return nil
}

// UninstallDocker takes back what Docker did.
func UninstallDocker(o Options) error {
	return o.uninstall("docker", func(data, original []byte) ([]byte, error) {
		value, err := getJSON(original, imageStore)
		if err != nil || value == nil {
			return removeJSON(data, imageStore)
		}
		return setJSON(data, imageStore, value)
	})
}

func (o Options) shim() (string, error) {
	if o.Shim != "" {
		return filepath.Abs(o.Shim)
	}
	return findShim()
}

// binDir is where the daemons of these names look for shims: what runs is
// asked first.
func (o Options) binDir(names ...string) (string, error) {
	if o.BinDir != "" {
		return filepath.Abs(o.BinDir)
	}
	for _, name := range names {
		list, err := processes(name)
		if err != nil {
			return "", err
		}
		for _, p := range list {
			if len(p.path) > 0 {
				return binDir(p.path), nil
			}
		}
	}
	return binDir(filepath.SplitList(defaultPath)), nil
}

// install places the shims and says so.
func (o Options) install(shim, dir string) error {
	list, err := place(shim, dir)
	for _, p := range list {
		if p.Why == "" {
			fmt.Fprintf(o.Out, "%s: io.containerd.%s.v1\n", p.Path, p.Name)
		} else {
			fmt.Fprintf(o.Out, "%s: left as it is: %s\n", p.Path, p.Why)
		}
	}
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w: run this as root, or name a folder on the daemon's PATH with --bin-dir", err)
	}
	return err
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
