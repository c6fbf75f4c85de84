package admit

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/blkiodev"
	"github.com/moby/moby/api/types/container"
)

// every has each limit that a cgroup enforces.
var every = container.Resources{
	CPUShares: 2, Memory: 64 << 20, CgroupParent: "/p", BlkioWeight: 100,
	BlkioWeightDevice:  []*blkiodev.WeightDevice{{Path: "/dev/x", Weight: 10}},
	BlkioDeviceReadBps: []*blkiodev.ThrottleDevice{{Path: "/dev/x", Rate: 1}}, BlkioDeviceWriteBps: []*blkiodev.ThrottleDevice{{Path: "/dev/x", Rate: 1}},
	BlkioDeviceReadIOps: []*blkiodev.ThrottleDevice{{Path: "/dev/x", Rate: 1}}, BlkioDeviceWriteIOps: []*blkiodev.ThrottleDevice{{Path: "/dev/x", Rate: 1}},
	CPUPeriod: 1000, CPUQuota: 1000, CPURealtimePeriod: 2, CPURealtimeRuntime: 1, CpusetCpus: "0", CpusetMems: "0",
	MemoryReservation: 32 << 20, MemorySwap: 65 << 20, MemorySwappiness: ptr(int64(3)), OomKillDisable: ptr(true), PidsLimit: ptr(int64(100)),
}

func TestLimitsNeedCgroups(t *testing.T) {
	h := &container.HostConfig{Resources: every}
	capable := func() Machine { return Machine{Cgroup: "v1", Features: Features} }
	if w, err := Check(&container.Config{}, h, capable); err != nil || len(w) > 0 {
		t.Errorf("with all features: %q, %v", w, err)
	}
	if held, cgroup := Enforced(every, capable()); !reflect.DeepEqual(held, every) || !cgroup {
		t.Errorf("with all features %+v hold, cgroup %v", held, cgroup)
	}

	none := func() Machine { return Machine{NoCgroup: "of a reason"} }
	w, err := Check(&container.Config{}, h, none)
	if err != nil {
		t.Fatal(err)
	}
	// One for each field set, but for memory, which the guest's engine bounds.
	fields := 0
	for _, f := range reflect.ValueOf(every).Fields() {
		if !f.IsZero() {
			fields++
		}
	}
	if len(w) != fields-1 || !slices.Contains(w, "--cpu-shares is not enforced: of a reason") {
		t.Errorf("without cgroups %d warnings, want %d: %q", len(w), fields-1, w)
	}
	held, cgroup := Enforced(every, none())
	if !reflect.DeepEqual(held, container.Resources{Memory: 64 << 20}) || cgroup {
		t.Errorf("without cgroups %+v hold, cgroup %v", held, cgroup)
	}
	if every.CgroupParent == "" || every.PidsLimit == nil {
		t.Error("the request itself was changed")
	}

	part := Machine{Cgroup: "v2", Features: []string{FeatureMemory}}
	held, cgroup = Enforced(container.Resources{Memory: 64 << 20, MemorySwappiness: ptr(int64(3)), NanoCPUs: 1}, part)
	if held.MemorySwappiness != nil || held.NanoCPUs != 0 || held.Memory == 0 || !cgroup {
		t.Errorf("with memory alone %+v hold, cgroup %v", held, cgroup)
	}
	w, err = Check(&container.Config{}, &container.HostConfig{Resources: container.Resources{CPUShares: 3}}, func() Machine { return part })
	if err != nil || !slices.Equal(w, []string{"--cpu-shares is not enforced: this machine's cgroups (v2) do not have it"}) {
		t.Errorf("warnings %q, %v", w, err)
	}
}

func TestFewTasksAreRaised(t *testing.T) {
	h := &container.HostConfig{Resources: container.Resources{PidsLimit: ptr(int64(9))}}
	w, err := Check(&container.Config{}, h, func() Machine { return Machine{Cgroup: "v1", Features: Features} })
	if err != nil || len(w) != 1 || !strings.Contains(w[0], "--pids-limit 9 is raised to 64") {
		t.Errorf("warnings %q, %v", w, err)
	}
}

// Finding out what a machine can do takes a program's start: who asks for no
// limits must not wait for it.
func TestTheMachineIsAskedLate(t *testing.T) {
	asked := func() Machine { t.Error("the machine was asked"); return Machine{} }
	h := &container.HostConfig{
		CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges", "seccomp={}"}, NetworkMode: "none",
		Resources: container.Resources{Ulimits: []*container.Ulimit{{Name: "nofile", Soft: 10, Hard: 10}}},
	}
	if _, err := Check(&container.Config{}, h, asked); err != nil {
		t.Error(err)
	}
}

func TestLimitsHaveDockersBounds(t *testing.T) {
	machine := func() Machine { return Machine{Cgroup: "v1", Features: Features, CPUs: "0-1,4", Mems: "0"} }
	for text, r := range map[string]container.Resources{
		"": {NanoCPUs: 1e8, CpusetCpus: "0-1, 4", CpusetMems: "0", MemorySwappiness: ptr(int64(0))},

		"Minimum memory limit allowed is 6MB":                     {Memory: 1},
		"Minimum memoryswap limit should be larger":               {Memory: 64 << 20, MemorySwap: 32 << 20},
		"You should always set the Memory limit":                  {MemorySwap: 32 << 20},
		"Minimum memory reservation allowed is 6MB":               {MemoryReservation: 1},
		"can not be less than memory reservation":                 {Memory: 16 << 20, MemoryReservation: 32 << 20},
		"valid memory swappiness range is 0-100":                  {MemorySwappiness: ptr(int64(101))},
		"Nano CPUs and CPU Period cannot both be set":             {NanoCPUs: 1e8, CPUPeriod: 1000},
		"Nano CPUs and CPU Quota cannot both be set":              {NanoCPUs: 1e8, CPUQuota: 1000},
		"range of CPUs is from 0.01":                              {NanoCPUs: 1e15},
		"invalid CPU shares (-1)":                                 {CPUShares: -1},
		"CPU cfs period can not be less than 1ms":                 {CPUPeriod: 1},
		"CPU cfs quota can not be less than 1ms":                  {CPUQuota: 1},
		"runtime cannot be higher":                                {CPURealtimePeriod: 1, CPURealtimeRuntime: 2},
		"Range of blkio weight is from 10 to 1000":                {BlkioWeight: 1},
		"invalid cgroup parent":                                   {CgroupParent: "a/../../b"},
		"Requested CPUs are not available - requested 3":          {CpusetCpus: "3"},
		"Requested memory nodes are not available":                {CpusetMems: "1"},
		"Invalid value 0-99999999 for cpuset cpus: want numbers":  {CpusetCpus: "0-99999999"},
		"for cpuset cpus: want each number once":                  {CpusetCpus: strings.Repeat("0-8000,", 100000) + "1"},
		"Invalid value 5-1 for cpuset cpus: want numbers such as": {CpusetCpus: "5-1"},
	} {
		_, err := Check(&container.Config{}, &container.HostConfig{Resources: r}, machine)
		if text == "" && err != nil || text != "" && (err == nil || !strings.Contains(err.Error(), text) || !errdefs.IsInvalidArgument(err)) {
			t.Errorf("%+v answers %v, want %q", r, err, text)
		}
	}
}

func TestCgroupPath(t *testing.T) {
	systemd := Machine{Cgroup: "v2", CgroupParent: "user.slice:wherry:"}
	for _, tt := range []struct {
		m            Machine
		parent, want string
	}{
		{Machine{CgroupParent: "/wherry/"}, "", "/wherry/x"}, {Machine{}, "", "/wherry/x"},
		{Machine{CgroupParent: "/wherry/"}, "mine", "/mine/x"}, {Machine{CgroupParent: "/wherry/"}, "/a/b", "/a/b/x"},
		{systemd, "", "user.slice:wherry:x"}, {systemd, "my.slice", "my.slice:wherry:x"},
	} {
		if got := tt.m.CgroupPath(tt.parent, "x"); got != tt.want {
			t.Errorf("below %q: %s, want %s", tt.parent, got, tt.want)
		}
	}
	for _, parent := range []string{"mine", "/my.slice"} {
		h := &container.HostConfig{Resources: container.Resources{CgroupParent: parent}}
		if _, err := Check(&container.Config{}, h, func() Machine { return systemd }); err == nil || !strings.Contains(err.Error(), "xxx.slice") {
			t.Errorf("%s with systemd answers %v", parent, err)
		}
	}
}

func TestGroupsNeedRoot(t *testing.T) {
	h := &container.HostConfig{GroupAdd: []string{"7"}}
	if w, err := Check(&container.Config{}, h, bare); err != nil || len(w) != 1 || !strings.Contains(w[0], "--group-add is not enforced") {
		t.Errorf("warnings %q, %v", w, err)
	}
	if w, err := Check(&container.Config{}, h, func() Machine { return Machine{SetGroups: true} }); err != nil || len(w) != 0 {
		t.Errorf("as root warnings %q, %v", w, err)
	}
}

func TestOOMScore(t *testing.T) {
	for _, tt := range []struct {
		asked  int
		m      Machine
		want   int
		warned bool
	}{
		{0, Machine{OOMScore: 100}, 0, false},
		{500, Machine{OOMScore: 100}, 500, false},
		{-500, Machine{OOMScore: 100, LowerOOMScore: true}, -500, false},
		{-500, Machine{OOMScore: 100}, 100, true},
	} {
		h := &container.HostConfig{OomScoreAdj: tt.asked}
		m := func() Machine { return tt.m }
		w, err := Check(&container.Config{}, h, m)
		if got := OOMScore(h, m); got != tt.want || err != nil || (len(w) == 1) != tt.warned {
			t.Errorf("%+v: %d, %q, %v", tt, got, w, err)
		}
	}
	if _, err := Check(&container.Config{}, &container.HostConfig{OomScoreAdj: 1001}, bare); !errdefs.IsInvalidArgument(err) {
		t.Errorf("1001 answers %v", err)
	}
}
