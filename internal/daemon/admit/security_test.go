package admit

import (
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

func TestCapabilities(t *testing.T) {
	for _, tt := range []struct {
		add, drop []string
		granted   string
		number    int
	}{
		{nil, nil, "CHOWN DAC_OVERRIDE FOWNER FSETID NET_BIND_SERVICE", 14},
		{nil, []string{"ALL"}, "", 0},
		{nil, []string{"all"}, "", 0},
		{nil, []string{"CAP_CHOWN", "net_raw"}, "DAC_OVERRIDE FOWNER FSETID NET_BIND_SERVICE", 12},
		{[]string{"NET_BIND_SERVICE"}, []string{"ALL"}, "NET_BIND_SERVICE", 1},
		{[]string{"SYS_ADMIN", "CHOWN"}, nil, "CHOWN DAC_OVERRIDE FOWNER FSETID NET_BIND_SERVICE", 15},
		{[]string{"ALL"}, []string{"FOWNER"}, "CHOWN DAC_OVERRIDE FSETID NET_BIND_SERVICE", 40},
		{[]string{"ALL"}, []string{"ALL"}, "CHOWN DAC_OVERRIDE FOWNER FSETID NET_BIND_SERVICE", 41},
	} {
		set, err := Capabilities(tt.add, tt.drop)
		got := strings.ReplaceAll(strings.Join(Granted(set), " "), "CAP_", "")
		if err != nil || len(set) != tt.number || got != tt.granted {
			t.Errorf("+%v -%v: %d of which %q are granted, want %d and %q (%v)", tt.add, tt.drop, len(set), got, tt.number, tt.granted, err)
		}
		for _, c := range set {
			if !strings.HasPrefix(c, "CAP_") {
				t.Errorf("%s is no name of the specification's", c)
			}
		}
	}
	if _, err := Capabilities(nil, []string{"CAP_CAP_CHOWN"}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a name that is none answers %v", err)
	}
}

func TestSecurityOptions(t *testing.T) {
	for _, tt := range []struct {
		option  string
		want    Security
		warning string
		refusal string
	}{
		{option: "no-new-privileges"}, {option: "no-new-privileges:true"}, {option: "no-new-privileges=true"},
		{option: "no-new-privileges=false", warning: "never gets new privileges"},
		{option: "no-new-privileges=perhaps", refusal: "want true or false"},
		{option: "seccomp=builtin"},
		{option: "seccomp=unconfined", warning: "the built-in filter always stands"},
		{option: `seccomp={"defaultAction":"SCMP_ACT_ALLOW"}`, want: Security{Seccomp: `{"defaultAction":"SCMP_ACT_ALLOW"}`}},
		{option: "seccomp=/etc/profile.json", refusal: "want builtin, unconfined or a profile in JSON"},
		{option: "apparmor=unconfined", want: Security{AppArmor: "unconfined"}},
		{option: "apparmor:mine", want: Security{AppArmor: "mine"}, warning: "apparmor=mine is not enforced"},
		{option: "label=disable"}, {option: "disable"},
		{option: "label=type:svirt_t", refusal: "are not built"},
		{option: "systempaths=unconfined"},
		{option: "systempaths=x", refusal: "want unconfined"},
		{option: "writable-cgroups=true", refusal: "known are no-new-privileges"},
		{option: "magic", refusal: "known are no-new-privileges"},
		{option: "magic=" + strings.Repeat("x\n", 1000), refusal: "invalid --security-opt"},
	} {
		h := &container.HostConfig{SecurityOpt: []string{tt.option}}
		w, err := Check(&container.Config{}, h, bare)
		if tt.refusal != "" {
			if err == nil || !strings.Contains(err.Error(), tt.refusal) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 250 || !errdefs.IsInvalidArgument(err) {
				t.Errorf("%s answers %v, want %q", tt.option, err, tt.refusal)
			}
			continue
		}
		got, e := SecurityOf(h)
		if err != nil || e != nil || got.Seccomp != tt.want.Seccomp || got.AppArmor != tt.want.AppArmor {
			t.Errorf("%s is %+v (%v, %v), want %+v", tt.option, got, err, e, tt.want)
		}
		if (len(w) > 0) != (tt.warning != "") || !strings.Contains(strings.Join(w, ""), tt.warning) {
			t.Errorf("%s warns %q, want %q", tt.option, w, tt.warning)
		}
	}
	armed := func() Machine { return Machine{AppArmor: true} }
	if w, err := Check(&container.Config{}, &container.HostConfig{SecurityOpt: []string{"apparmor=mine"}}, armed); err != nil || len(w) > 0 {
		t.Errorf("with AppArmor: %q, %v", w, err)
	}
}

func TestSysctls(t *testing.T) {
	for _, tt := range []struct {
		network container.NetworkMode
		key     string
		refusal string
	}{
		{"bridge", "kernel.msgmax", ""}, {"bridge", "kernel/shmmax", ""}, {"bridge", "fs.mqueue.msg_max", ""},
		{"none", "net.ipv4.ip_forward", ""}, {"none", "net/ipv4/conf/eth0.1/forwarding", ""},
		{"bridge", "net.ipv4.ip_forward", "only --network none has a namespace to itself"},
		{"host", "net.core.somaxconn", "only --network none has a namespace to itself"},
		{"none", "kernel.core_pattern", "it would change the whole machine"},
		{"none", "vm.overcommit_memory", "it would change the whole machine"},
		{"none", "net/../kernel/core_pattern", "invalid name or value"},
		{"none", "fs/mqueue/../../kernel/core_pattern", "invalid name or value"},
		{"none", "kernel.domainname", "use --domainname"},
	} {
		h := &container.HostConfig{NetworkMode: tt.network, Sysctls: map[string]string{tt.key: "1"}}
		_, err := Check(&container.Config{}, h, bare)
		if tt.refusal == "" && err != nil || tt.refusal != "" && (err == nil || !strings.Contains(err.Error(), tt.refusal) || !errdefs.IsInvalidArgument(err)) {
			t.Errorf("%s with network %s answers %v, want %q", tt.key, tt.network, err, tt.refusal)
		}
	}
	if !slices.Contains(ipcSysctls, "kernel.sem") {
		t.Error("kernel.sem is of the ipc namespace")
	}
}
