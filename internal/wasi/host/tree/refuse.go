//go:build linux

package tree

import "golang.org/x/sys/unix"

// kernelFS are the file systems through which a process steers the kernel,
// other processes or hardware (f_type of statfs(2), linux/magic.h and the file
// systems' own sources). Devices and mounts cannot be told from their paths,
// so each folder and file is asked for its file system.
var kernelFS = map[uint32]string{
	unix.PROC_SUPER_MAGIC:      "proc",
	unix.SYSFS_MAGIC:           "sysfs",
	unix.CGROUP_SUPER_MAGIC:    "cgroup",
	unix.CGROUP2_SUPER_MAGIC:   "cgroup2",
	unix.DEBUGFS_MAGIC:         "debugfs",
	unix.TRACEFS_MAGIC:         "tracefs",
	unix.DEVPTS_SUPER_MAGIC:    "devpts",
	unix.SECURITYFS_MAGIC:      "securityfs",
	unix.BPF_FS_MAGIC:          "bpf",
	unix.SELINUX_MAGIC:         "selinuxfs",
	unix.SMACK_MAGIC:           "smackfs",
	unix.EFIVARFS_MAGIC:        "efivarfs",
	unix.PSTOREFS_MAGIC:        "pstore",
	unix.NSFS_MAGIC:            "nsfs",
	unix.BINFMTFS_MAGIC:        "binfmt_misc",
	unix.BINDERFS_SUPER_MAGIC:  "binder",
	unix.RDTGROUP_SUPER_MAGIC:  "resctrl",
	unix.XENFS_SUPER_MAGIC:     "xenfs",
	unix.ANON_INODE_FS_MAGIC:   "anon_inode",
	unix.PIPEFS_MAGIC:          "pipefs",
	unix.SOCKFS_MAGIC:          "sockfs",
	unix.USBDEVICE_SUPER_MAGIC: "usbfs",
	unix.OPENPROM_SUPER_MAGIC:  "openpromfs",
	unix.DEVMEM_MAGIC:          "devmem",
	unix.DMA_BUF_MAGIC:         "dmabuf",
	unix.SECRETMEM_MAGIC:       "secretmem",
	unix.PID_FS_MAGIC:          "pidfs",
	0x19800202:                 "mqueue",     // ipc/mqueue.c
	0x62656570:                 "configfs",   // fs/configfs/mount.c
	0x65735543:                 "fusectl",    // fs/fuse/control.c
	0x67596969:                 "rpc_pipe",   // net/sunrpc/rpc_pipe.c
	0x6e667364:                 "nfsd",       // fs/nfsd/nfsctl.c
	0x0a647361:                 "functionfs", // drivers/usb/gadget/function/f_fs.c
	0xaee71ee7:                 "gadgetfs",   // drivers/usb/gadget/legacy/inode.c
	0x5a4f4653:                 "zonefs",     // a block device's zones as files
	0x23c9b64e:                 "spufs",      // arch/powerpc/platforms/cell/spufs
	0x66726f67:                 "ibmasmfs",   // drivers/misc/ibmasm/ibmasmfs.c
	0x76a9f425:                 "ocfs2_dlm",  // fs/ocfs2/dlmfs/dlmfs.c
	0x64646178:                 "dax",        // drivers/dax/super.c
	0x474d454d:                 "guest_mem",  // virt/kvm/guest_memfd.c
	0x62646576:                 "bdev",       // block/bdev.c
}

// kernelFSOf names the kernel file system that fd is on, "" for ordinary ones.
func kernelFSOf(fd int) (string, error) {
	var s unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(fd, &s) }); err != nil {
		return "", err
	}
	return kernelFS[uint32(s.Type)], nil
}

// checkFS is EACCES for what is on a kernel file system. near is the device of
// a folder already checked: the same device is the same file system.
func checkFS(fd int, dev, near uint64) error {
	if dev == near {
		return nil
	}
	name, err := kernelFSOf(fd)
	if err == nil && name != "" {
		err = unix.EACCES
	}
	return err
}

// harmless are the memory devices that any program expects
// (Documentation/admin-guide/devices.txt, major 1).
var harmless = map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}

// isHarmless tells a harmless device by its number.
func isHarmless(st *unix.Stat_t) bool {
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || unix.Major(uint64(st.Rdev)) != 1 {
		return false
	}
	for _, minor := range harmless {
		if unix.Minor(uint64(st.Rdev)) == minor {
			return true
		}
	}
	return false
}

// checkKind is EACCES for what a guest may not open: sockets and FIFOs, which
// may block or reach other programs, and devices. The harmless devices come by
// the tree's own defaults, not from an image's or a mount's nodes.
func checkKind(st *unix.Stat_t) error {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR:
		return nil
	case unix.S_IFLNK:
		return unix.ELOOP
	}
	return unix.EACCES
}
