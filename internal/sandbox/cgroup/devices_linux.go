package cgroup

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// harmless are the devices that may be opened, by their minor numbers of major
// 1 (the kernel's admin-guide/devices.txt): their files stand in every system's
// /dev and lead nowhere.
var harmless = map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}

// skipDevices tells the library that devices are not its affair: what it links
// for them is an eBPF assembler. On version 1 it would then not even make the
// folder, so there it hears so only where there is no such controller.
func skipDevices(r *cgroups.Resources) {
	_, err := cgroups.FindCgroupMountpoint("", "devices")
	r.SkipDevices = cgroups.IsCgroup2UnifiedMode() || err != nil
	r.SkipFreezeOnSet = true
}

// denyDevices refuses all other devices to the group, whatever files of them
// may be reached. Only root can say so; an ordinary user's process has no rights
// to devices that could be taken from it.
func (g *Group) denyDevices() error {
	if os.Geteuid() != 0 {
		return nil
	}
	if g.v2 {
		return attachDeviceFilter(g.dir(""))
	}
	dir := g.dir("devices")
	if !cgroups.PathExists(dir) {
		return nil // this controller alone is no limit that anybody asked for
	}
	if err := cgroups.WriteFile(dir, "devices.deny", "a"); err != nil {
		return g.explain("refuse devices to", err)
	}
	for _, minor := range harmless {
		err := cgroups.WriteFile(dir, "devices.allow", fmt.Sprintf("c 1:%d rw", minor))
		if err != nil && !errors.Is(err, unix.EPERM) { // which says that the group above is stricter
			return g.explain("refuse devices to", err)
		}
	}
	return nil
}

// deviceProperties say to systemd what denyDevices says to the kernel
// (systemd.resource-control(5)).
func deviceProperties() []systemd.Property {
	type allowed struct{ Path, Access string }
	var list []allowed
	for name := range harmless {
		list = append(list, allowed{"/dev/" + name, "rw"})
	}
	return []systemd.Property{
		{Name: "DevicePolicy", Value: dbus.MakeVariant("strict")},
		{Name: "DeviceAllow", Value: dbus.MakeVariant(list)},
	}
}

// instruction is one of eBPF (the kernel's bpf/standardization/instruction-set).
type instruction struct {
	code   uint8
	regs   uint8 // destination low, source high
	offset int16
	imm    int32
}

// What the filter is made of: linux/bpf.h, in the numbers of struct bpf_insn.
const (
	loadWord   = 0x61 // register = *(u32 *)(source + offset)
	andWith    = 0x57 // register &= imm
	shiftRight = 0x77 // register >>= imm
	setTo      = 0xb7 // register = imm
	jumpIf     = 0x15 // if register == imm goto +offset
	jumpIfNot  = 0x55 // if register != imm goto +offset
	leave      = 0x95
	charDevice = 2 // BPF_DEVCG_DEV_CHAR
	mknod      = 1 // BPF_DEVCG_ACC_MKNOD
)

// deviceFilter is asked at each open of a device with struct bpf_cgroup_dev_ctx
// in register 1: access<<16 | type, major, minor. It answers, in register 0, 1
// for what may be.
func deviceFilter() []instruction {
	load := func(register uint8, offset int16) instruction {
		return instruction{code: loadWord, regs: register | 1<<4, offset: offset}
	}
	prog := []instruction{
		load(2, 0), load(3, 0), load(4, 4), load(5, 8),
		{code: andWith, regs: 2, imm: 0xffff},
		{code: shiftRight, regs: 3, imm: 16},
		{code: andWith, regs: 3, imm: mknod},
	}
	refuse := len(prog) + 3 + len(harmless)
	permit := refuse + 2
	check := func(code, register uint8, imm int32, target int) {
		prog = append(prog, instruction{code, register, int16(target - len(prog) - 1), imm})
	}
	check(jumpIfNot, 2, charDevice, refuse)
	check(jumpIfNot, 3, 0, refuse)
	check(jumpIfNot, 4, 1, refuse)
	for _, minor := range harmless {
		check(jumpIf, 5, int32(minor), permit)
	}
	return append(prog,
		instruction{code: setTo, imm: 0}, instruction{code: leave},
		instruction{code: setTo, imm: 1}, instruction{code: leave},
	)
}

// attachDeviceFilter makes the filter one of the group (bpf(2),
// BPF_PROG_TYPE_CGROUP_DEVICE). It lives as long as the group.
func attachDeviceFilter(dir string) error {
	prog, license := deviceFilter(), []byte("GPL\x00")
	load := struct {
		kind, count       uint32
		insns, license    unsafe.Pointer
		logLevel, logSize uint32
		log               uint64
	}{
		kind: unix.BPF_PROG_TYPE_CGROUP_DEVICE, count: uint32(len(prog)),
		insns: unsafe.Pointer(&prog[0]), license: unsafe.Pointer(&license[0]),
	}
	fd, err := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&load), unsafe.Sizeof(load))
	if errors.Is(err, unix.EPERM) {
		return nil // root of a container's, which may not say what devices are
	}
	if err != nil {
		return fmt.Errorf("refuse devices to the cgroup %s: load the filter: %w", dir, err)
	}
	defer unix.Close(fd)
	group, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(group)
	attach := struct{ target, prog, kind, flags uint32 }{
		target: uint32(group), prog: uint32(fd), kind: unix.BPF_CGROUP_DEVICE, flags: unix.BPF_F_ALLOW_MULTI,
	}
	if _, err := bpf(unix.BPF_PROG_ATTACH, unsafe.Pointer(&attach), unsafe.Sizeof(attach)); err != nil {
		return fmt.Errorf("refuse devices to the cgroup %s: attach the filter: %w", dir, err)
	}
	return nil
}

func bpf(cmd int, attr unsafe.Pointer, size uintptr) (int, error) {
	for {
		fd, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(cmd), uintptr(attr), size)
		switch errno {
		case 0:
			return int(fd), nil
		case unix.EINTR, unix.EAGAIN:
			continue
		}
		return -1, errno
	}
}
