// Package users finds out whom --user and --group-add name, by an image's
// /etc/passwd and /etc/group.
//
// The files are a stranger's: they are read up to a bound, and numbers that are
// no IDs are refused. It must not know containers, nor where an image's files
// lie: it is given a way to open them.
package users

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/user"

	"wherry/internal/daemon/fault"
)

// maxFile bounds a file, in bytes, and maxGroups how many groups a process has:
// the kernel's own bound (NGROUPS_MAX).
const (
	maxFile   = 1 << 20
	maxGroups = 65536
	maxID     = 1<<31 - 1
)

// Identity is who a container's process is.
type Identity struct {
	UID, GID uint32
	// Groups are the supplementary groups, the primary one among them, as
	// under Docker.
	Groups []uint32
	// Home is the home folder, "/" where none is known.
	Home string
}

// Opener opens a file of an image by its absolute path; one that is missing is
// fs.ErrNotExist.
type Opener func(path string) (*os.File, error)

// Resolve answers who the user of --user is: NAME or UID, with :GROUP or :GID;
// empty is root. groups are those of --group-add. A name that the image does
// not know is errdefs.ErrInvalidArgument in Docker's words.
func Resolve(open Opener, who string, groups []string) (Identity, error) {
	passwd, err := read(open, "/etc/passwd")
	if err != nil {
		return Identity{}, err
	}
	group, err := read(open, "/etc/group")
	if err != nil {
		return Identity{}, err
	}
	found, err := user.GetExecUser(who, &user.ExecUser{Home: "/"}, strings.NewReader(passwd), strings.NewReader(group))
	if err != nil {
		return Identity{}, fault.Invalid("%w", err)
	}
	id := Identity{Home: found.Home}
	if id.UID, err = number("user", found.Uid); err != nil {
		return Identity{}, err
	}
	if id.GID, err = number("group", found.Gid); err != nil {
		return Identity{}, err
	}
	if !strings.HasPrefix(id.Home, "/") || strings.ContainsRune(id.Home, 0) {
		id.Home = "/"
	}
	more := []int{}
	if len(groups) > 0 {
		if more, err = user.GetAdditionalGroups(groups, strings.NewReader(group)); err != nil {
			return Identity{}, fault.Invalid("%w", err)
		}
		slices.Sort(more)
	}
	id.Groups = []uint32{id.GID}
	known := map[uint32]bool{id.GID: true}
	for _, g := range append(found.Sgids, more...) {
		n, err := number("group", g)
		if err != nil {
			return Identity{}, err
		}
		if !known[n] {
			known[n] = true
			id.Groups = append(id.Groups, n)
		}
		if len(id.Groups) > maxGroups {
			return Identity{}, fault.Invalid("the image's /etc/group puts the user into more than %d groups", maxGroups)
		}
	}
	return id, nil
}

// number is an ID as the kernel takes it. The files' numbers may be any, and
// one beyond 32 bits would become another, root's for instance.
func number(what string, n int) (uint32, error) {
	if n < 0 || n > maxID {
		return 0, fault.Invalid("the image gives the %s the ID %s: %w", what, strconv.Itoa(n), user.ErrRange)
	}
	return uint32(n), nil
}

// read reads a file whole; one that is missing, or no file, is empty.
func read(open Opener, path string) (string, error) {
	f, err := open(path)
	if err != nil {
		var where *fs.PathError
		if errors.As(err, &where) || errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxFile {
		return "", fault.Invalid("the image's %s is larger than %d bytes, which is more than is read", path, maxFile)
	}
	return string(b), nil
}
