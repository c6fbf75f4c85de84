package spec

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/moby/moby/api/types/blkiodev"
	"github.com/moby/moby/api/types/container"

	"wherry/internal/daemon/admit"
	"wherry/internal/daemon/record"
	"wherry/internal/daemon/users"
)

var update = flag.Bool("update", false, "write the golden specifications anew")

func ptr[T any](v T) *T { return &v }

// What a container's settings become, whole: a wall that is left out shows.
func TestGolden(t *testing.T) {
	root := users.Identity{Groups: []uint32{0}, Home: "/root"}
	profile := `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
		{"names":["read","write"],"action":"SCMP_ACT_ALLOW"},
		{"names":["chown"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_CHOWN"]}},
		{"names":["mount"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}}]}`
	for name, tt := range map[string]struct {
		h    container.HostConfig
		c    container.Config
		user users.Identity
		m    admit.Machine
	}{
		"plain": {user: root, m: capable()},
		"hardened": {
			h: container.HostConfig{
				CapDrop: []string{"ALL"}, CapAdd: []string{"NET_BIND_SERVICE"}, ReadonlyRootfs: true, NetworkMode: "none",
				SecurityOpt: []string{"no-new-privileges", "seccomp=" + profile, "apparmor=mine"}, OomScoreAdj: 300,
				Sysctls: map[string]string{"net.ipv4.ip_forward": "0", "kernel.msgmax": "1024"},
			},
			c: container.Config{User: "app"}, user: users.Identity{UID: 1000, GID: 1001, Groups: []uint32{1001, 10}, Home: "/srv"},
			m: capable(),
		},
		"profile": {h: container.HostConfig{SecurityOpt: []string{"seccomp=" + profile}}, user: root, m: capable()},
		"limited": {
			h: container.HostConfig{Resources: container.Resources{
				Memory: 64 << 20, MemoryReservation: 32 << 20, MemorySwap: 128 << 20, MemorySwappiness: ptr(int64(0)), OomKillDisable: ptr(true),
				NanoCPUs: 1_500_000_000, CPUShares: 512, CPURealtimePeriod: 1000, CPURealtimeRuntime: 500, CpusetCpus: "0", CpusetMems: "0",
				PidsLimit: ptr(int64(50)), BlkioWeight: 300,
				Ulimits: []*container.Ulimit{{Name: "nofile", Soft: 100, Hard: 200}, {Name: "core", Soft: -1, Hard: -1}},
			}},
			user: root, m: capable(),
		},
		"limited-without-cgroups": {
			h:    container.HostConfig{Resources: container.Resources{Memory: 64 << 20, NanoCPUs: 1e9, PidsLimit: ptr(int64(50)), CgroupParent: "/mine"}},
			user: root,
		},
		"slice": {
			h:    container.HostConfig{Resources: container.Resources{CPUPeriod: 50_000, CPUQuota: 25_000, PidsLimit: ptr(int64(-1)), CgroupParent: "my.slice"}},
			user: root, m: admit.Machine{Cgroup: "v2", Features: admit.Features, CgroupParent: "user.slice:wherry:"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := &record.Container{
				ID: "0123456789ab", Name: "web", Path: "/app.wasm", Image: record.Image{Tree: "/tree"},
				Config: &tt.c, HostConfig: &tt.h,
			}
			c.Config.Hostname = "boat"
			c.HostConfig.DNS, c.HostConfig.DNSSearch = []netip.Addr{netip.MustParseAddr("9.9.9.9")}, []string{"."}
			s, err := New(c, Places{Upper: "/upper", User: tt.user, Machine: func() admit.Machine { return tt.m }})
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(s, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			path := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v (go test -update writes it)", err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the specification is not that of %s (go test -update, then read what changed):\n%s", path, got)
			}
		})
	}
}

func TestDevices(t *testing.T) {
	r := container.Resources{BlkioDeviceReadBps: []*blkiodev.ThrottleDevice{{Path: "/dev/null", Rate: 1}}}
	if _, err := Resources(r); err == nil || err.Error() != "limit of the device /dev/null: it is no block device" {
		t.Errorf("a character device answers %v", err)
	}
	r.BlkioDeviceReadBps[0].Path = "/dev/nothing-here"
	if _, err := Resources(r); err == nil {
		t.Error("a missing device is taken")
	}
}
