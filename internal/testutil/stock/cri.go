//go:build linux

package stock

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// PauseImage is the image from which CRI makes a pod's own container. Whoever
// makes pods imports one of that name.
const PauseImage = "docker.io/library/pause:1"

// network is the network of pods (CNI specification, "Network configuration
// format"): a bridge, without a way out.
const network = `{
  "cniVersion": "1.0.0", "name": "pods",
  "plugins": [{
    "type": "bridge", "bridge": "pods0", "isGateway": true,
    "ipam": {"type": "host-local", "dataDir": %q, "ranges": [[{"subnet": "10.77.0.0/16"}]]}
  }]
}`

// cri is the part of a containerd's configuration that is for pods. Wherry's
// runtimes are not in it.
func cri(t testing.TB, set Set, dir string) string {
	t.Helper()
	conf := filepath.Join(dir, "cni")
	if err := os.Mkdir(conf, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(conf, "pods.conflist"), fmt.Appendf(nil, network, filepath.Join(dir, "addresses")), 0o600); err != nil {
		t.Fatal(err)
	}
	// Without CAP_SYS_RESOURCE no score can be lowered.
	if set == Debian {
		return fmt.Sprintf(`[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = %q
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = %q
  conf_dir = %q
`, PauseImage, programs(t), conf)
	}
	return fmt.Sprintf(`[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = %q
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = [%q]
  conf_dir = %q
`, PauseImage, programs(t), conf)
}
