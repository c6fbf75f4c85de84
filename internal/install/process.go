package install

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// defaultPath is what init systems give a daemon (systemd.exec(5)), where the
// daemon's own cannot be read.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// daemonProcess is a daemon that runs on this machine.
type daemonProcess struct {
	pid     int
	program string   // its file, if it may be read
	path    []string // its PATH, if it may be read
	args    []string
}

// processes finds the programs of a name that run here (proc(5)).
func processes(name string) ([]daemonProcess, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var list []daemonProcess
	for _, dir := range dirs {
		comm, err := os.ReadFile(dir + "/comm")
		if err != nil || strings.TrimSpace(string(comm)) != name {
			continue // it has ended, or is another
		}
		p := daemonProcess{}
		p.pid, _ = strconv.Atoi(filepath.Base(dir)) // the pattern lets digits through only
		if args, err := os.ReadFile(dir + "/cmdline"); err == nil {
			p.args = strings.Split(strings.TrimRight(string(args), "\x00"), "\x00")
		}
		if program, err := os.Readlink(dir + "/exe"); err == nil {
			p.program = program
		}
		env, err := os.ReadFile(dir + "/environ")
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			continue
		}
		for _, kv := range bytes.Split(env, []byte{0}) {
			if path, ok := strings.CutPrefix(string(kv), "PATH="); ok {
				p.path = filepath.SplitList(path)
			}
		}
		list = append(list, p)
	}
	return list, nil
}

// lookup finds a program on a PATH.
func lookup(name string, path []string) (string, bool) {
	for _, dir := range path {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, true
		}
	}
	return "", false
}

// binDir is where the shim goes: the first folder of the daemon's PATH that is
// meant for what an administrator adds, else the first that there is.
func binDir(path []string) string {
	for _, prefer := range []string{"/usr/local/bin", "/usr/local/sbin"} {
		for _, dir := range path {
			if filepath.Clean(dir) == prefer {
				return prefer
			}
		}
	}
	for _, dir := range path {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
	}
	return "/usr/local/bin"
}
