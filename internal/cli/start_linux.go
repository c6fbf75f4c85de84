package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLog is how large the engine's log may be when the next engine starts; it
// is then kept once more under another name.
const maxLog = 1 << 20

// start runs `wherry daemon` as a process of its own session and returns when
// it listens. Of command lines that come here together the first starts it and
// the others find it.
func (e *engine) start() error {
	for _, dir := range []string{e.paths.Data, e.paths.Run} {
		if err := ownFolder(dir); err != nil {
			return err
		}
	}
	unlock, err := lockFile(filepath.Join(e.paths.Run, "start.lock"))
	if err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	defer unlock()
	if conn, err := e.connect(context.Background()); err == nil {
		return conn.Close()
	}
	return e.spawn()
}

// spawn starts the engine and waits for its word on a pipe: it closes the pipe
// when it listens, or first writes why it can't.
func (e *engine) spawn() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	logPath := filepath.Join(e.paths.Data, "daemon.log")
	log, err := openLog(logPath)
	if err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	defer log.Close()
	word, childEnd, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	defer word.Close()

	cmd := exec.Command(self, "daemon", "--data-root", e.paths.Data, "--run-root", e.paths.Run,
		"--host", "unix://"+e.paths.Socket, "--ready-fd", "3")
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{childEnd}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	childEnd.Close()
	if err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	said, err := io.ReadAll(io.LimitReader(word, 64<<10))
	if err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	if string(said) == readyWord {
		return cmd.Process.Release()
	}
	cmd.Wait() // it is ending; its exit code says no more than its words
	return notStarted(string(said), logPath)
}

// ownFolder makes a folder for this user alone and refuses one that somebody
// else made first or can write to.
func ownFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the engine's folder: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return fmt.Errorf("look at the engine's folder %s: %w", dir, err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		if err := unix.Stat(dir, &st); err != nil {
			return fmt.Errorf("look at the engine's folder %s: %w", dir, err)
		}
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%s must be a folder for the engine, it is something else: move it away", dir)
	case int(st.Uid) != os.Getuid():
		return fmt.Errorf("%s belongs to user %d, not to you (%d): the engine keeps nothing there; set XDG_RUNTIME_DIR and XDG_DATA_HOME to folders of yours",
			dir, st.Uid, os.Getuid())
	case st.Mode&0o022 != 0:
		return fmt.Errorf("others may write to %s (mode %#o): chmod 700 it first", dir, st.Mode&0o777)
	}
	return nil
}

// lockFile waits for an exclusive lock on a file that it makes if needed. The
// kernel drops it when the process ends.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// openLog opens the engine's log for appending, after moving a long one away.
func openLog(path string) (*os.File, error) {
	if st, err := os.Stat(path); err == nil && st.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
}
