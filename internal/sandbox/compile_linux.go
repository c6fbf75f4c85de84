package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"

	"wherry/internal/guest/code"
	"wherry/internal/sandbox/pathless"
	"wherry/internal/sandbox/seccomp"
)

// maxDiagnosis bounds what is taken of a compile child's words, in bytes.
const maxDiagnosis = 4 << 10

// Compile compiles a module in a child that has the two files and nothing
// else, no path and no socket, is bounded in memory, time and output, and is
// killed with ctx or with this program. A module that does not validate gives
// ErrInvalidArgument.
func Compile(ctx context.Context, engine string, module, compiled *os.File) error {
	return compileChild(ctx, []string{engine}, module, compiled)
}

// SealCompiler takes from a compile child what a compiler does not need, for
// good: it keeps its open descriptors, memory and threads.
func SealCompiler() error {
	if err := pathless.Leave(); err != nil {
		return err
	}
	return seccomp.SealCompiler()
}

func compileChild(ctx context.Context, args []string, in, out *os.File) error {
	st, text, err := runCompiler(ctx, args, nil, in, out)
	switch {
	case err != nil:
		return err
	case st.Code == 0:
		return nil
	case st.Code == code.ExitInvalid:
		return classed{text, errdefs.ErrInvalidArgument}
	case st.Code == code.ExitFailed:
		return errors.New(text)
	case st.Signal == syscall.SIGKILL:
		return errors.New("the compile of the module was killed: it took more processor time than it may, or the machine has no memory left")
	case strings.Contains(text, "memory") || st.Signal == syscall.SIGABRT:
		return fmt.Errorf("the compile of the module ran out of memory")
	}
	return fmt.Errorf("the compile of the module failed (%s): %s", describe(st), text)
}

// ParseText turns a module in the text format into the binary format, in a
// child like that of Compile. Text that is none gives ErrInvalidArgument.
func ParseText(ctx context.Context, text, binary *os.File) error {
	return compileChild(ctx, []string{"-text"}, text, binary)
}

// Fingerprint asks an engine for its fingerprint, in a child, so that nothing
// of a compiler is ever set up in a shim.
func Fingerprint(ctx context.Context, engine string) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	st, text, err := runCompiler(ctx, []string{"-fingerprint", engine}, w)
	if err != nil {
		return "", err
	}
	if st.Code != 0 {
		return "", errors.New(text)
	}
	out, err := io.ReadAll(io.LimitReader(r, maxDiagnosis))
	return strings.TrimSpace(string(out)), err
}

// runCompiler runs this program as compile child to its end. It closes stdout.
func runCompiler(ctx context.Context, args []string, stdout *os.File, files ...*os.File) (Status, string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return Status{}, "", err
	}
	defer r.Close()
	cmd := &exec.Cmd{
		Path:        "/proc/self/exe",
		Args:        append([]string{os.Args[0], "compile"}, args...),
		Env:         []string{"GOGC=200"},
		Dir:         "/",
		Stderr:      w,
		ExtraFiles:  files,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if stdout != nil {
		cmd.Stdout = stdout
		defer stdout.Close()
	}
	child, err := StartChild(cmd)
	w.Close()
	if err != nil {
		return Status{}, "", fmt.Errorf("start the compile: %w", err)
	}
	// Where the machine has no memory left, it is the first to go. It cannot say
	// so itself, having no paths; where this process may not, or it has ended,
	// the kernel chooses without the hint.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", child.PID()), []byte("1000"), 0)
	// The child's end is the only other thing to wait for: an error here only
	// says that it has ended already.
	stop := context.AfterFunc(ctx, func() { _ = child.Signal(syscall.SIGKILL) })
	defer stop()
	text, readErr := io.ReadAll(io.LimitReader(r, maxDiagnosis))
	if readErr == nil {
		// The rest of a crash's long story, so that it can be told to its end.
		_, readErr = io.Copy(io.Discard, r)
	}
	st := child.Status()
	if ctx.Err() != nil {
		return st, "", context.Cause(ctx)
	}
	return st, strings.TrimSpace(string(text)), readErr
}
