package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"wherry/internal/folder"
)

// readyWord is what an engine says on its ready descriptor when it listens;
// anything else is why it can't (internal/server).
const readyWord = "ready"

// maxLog is how large the engine's log may be when the next engine starts; it
// is then kept once more under another name.
const maxLog = 1 << 20

// start runs the engine as a process of its own session and returns when
// it listens. Of command lines that come here together the first starts it and
// the others find it.
func (e *engine) start() error {
	for _, dir := range []string{e.paths.Data, e.paths.Run} {
		if err := folder.Own(dir); err != nil {
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
	o := daemonOptions{logLevel: slog.LevelInfo.String()}
	if err := o.complete(e); err != nil {
		return err
	}
	program, args, err := o.command()
	if err != nil {
		return err
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

	cmd := exec.Command(program, append(args[1:], "--ready-fd", "3")...)
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
