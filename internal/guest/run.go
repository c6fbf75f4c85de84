//go:build linux

package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	pathpkg "path"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"

	"wherry/internal/engine"
	"wherry/internal/engine/engines"
	"wherry/internal/guest/code"
	"wherry/internal/wasi/host/socket"
	"wherry/internal/wasi/host/tree"
	"wherry/internal/wasi/preview1"
)

// Exit codes that do not come from the guest, as Docker counts them.
const (
	// ExitSetup means that Wherry could not start the guest.
	ExitSetup = 125
	// ExitUnusable means that the program cannot be run.
	ExitUnusable = 126
	// ExitTrap is a guest stopped by a trap: 128 + SIGABRT.
	ExitTrap = 134
	// maxExit is what an exit status holds; larger codes must not wrap to 0.
	maxExit = 255
)

// Run runs a guest to its end on the calling thread. When the guest is
// instantiated, seal is called, which takes from the process all that a guest
// does not need, and then ready, which returns when the guest may start, and
// what names are by then if not what the configuration says.
//
// What the user should know of a guest's end is also written to standard
// error, in lines that begin with "wherry: ".
func Run(ctx context.Context, cfg Config, seal func() error, ready func() (*Names, error)) Result {
	// The guest's calls block this thread in system calls and its stack is
	// this thread's; it stays one thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	g, err := load(ctx, cfg)
	if err != nil {
		return notStarted(err)
	}
	if err := g.begin(seal, ready); err != nil {
		return Result{Code: ExitSetup, Reason: err.Error()}
	}
	// What loading left behind is not needed again, and a guest that computes
	// makes no garbage.
	debug.SetGCPercent(50)
	err = g.call(ctx, cfg)
	res := ended(err)
	if res.Code != 0 && g.memoryFull() {
		res.OutOfMemory, res.Reason = true, join(res.Reason, g.limitReached())
		fmt.Fprintln(os.Stderr, "wherry: "+g.limitReached())
	}
	// The kernel gives back what the process holds, faster than calls would.
	return res
}

// begin takes a guest that is loaded to where it may run.
func (r *running) begin(seal func() error, ready func() (*Names, error)) error {
	if err := seal(); err != nil {
		return err
	}
	names, err := ready()
	if err != nil || names == nil {
		return err
	}
	return r.net.SetNames(*names)
}

func (c Config) function() string {
	if c.Func == "" {
		return "_start"
	}
	return c.Func
}

// running is a guest that is instantiated.
type running struct {
	instance engine.Instance
	net      *socket.Network
	// limit bounds the guest's memory; reserved is on top of it.
	limit, reserved uint64
}

// load makes a guest of a configuration.
func load(ctx context.Context, cfg Config) (*running, error) {
	e, err := engines.Open(cfg.Engine)
	if err != nil {
		return nil, err
	}
	path := cfg.CodePath
	if path == "" {
		path = fmt.Sprintf("/proc/self/fd/%d", cfg.CodeFD)
	}
	m, err := e.Load(path, func() ([]byte, error) {
		return code.Read(os.NewFile(uintptr(cfg.ModuleFD), "module"))
	})
	if err != nil {
		return nil, err
	}
	files, cabundle, err := openFiles(&cfg)
	if err != nil {
		return nil, err
	}
	net, err := socket.New(cfg.Net)
	if err != nil {
		return nil, fmt.Errorf("the container's network: %w", err)
	}
	host, err := preview1.New(preview1.Config{
		Args: cfg.Args, Env: environment(cfg, cabundle),
		Stdin: 0, Stdout: 1, Stderr: 2,
		Root: files, Net: net,
	})
	if err != nil {
		return nil, err
	}
	store, err := e.NewStore(limits(cfg.Limits))
	if err != nil {
		return nil, err
	}
	instance, err := store.Instantiate(ctx, m, host.Resolve)
	var missing *engine.ImportError
	if errors.As(err, &missing) {
		return nil, fmt.Errorf("exec: %q: exec format error: %w; build for wasm32-wasip1 (Go: GOOS=wasip1 GOARCH=wasm)", cfg.Name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("instantiate %s: %w", cfg.Name, err)
	}
	return &running{instance: instance, net: net, limit: cfg.Limits.MemoryBytes, reserved: cfg.Reserved}, nil
}

// openFiles opens the guest's files, nil for none, and finds its CA bundle.
func openFiles(cfg *Config) (files *tree.Tree, cabundle string, err error) {
	if cfg.NoFiles {
		cfg.Cwd = ""
		return nil, "", nil
	}
	if files, err = tree.New(cfg.Files); err != nil {
		return nil, "", fmt.Errorf("the container's files: %w", err)
	}
	if err := makeFolder(files, cfg.Cwd); err != nil {
		return nil, "", fmt.Errorf("the working directory %s: %w", cfg.Cwd, err)
	}
	return files, bundleOf(files), nil
}

// makeFolder makes the working directory and the folders above it where they
// are missing, as runc does. A root that cannot be written stays as it is.
func makeFolder(files *tree.Tree, path string) error {
	root := files.Root()
	defer root.Close()
	path = pathpkg.Clean("/" + path)
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		part := strings.Trim(path[:i], "/")
		if part == "" {
			continue
		}
		_, err := root.StatAt(part, true)
		if errors.Is(err, unix.ENOENT) {
			err = root.Mkdir(part)
		}
		if errors.Is(err, unix.EROFS) || errors.Is(err, unix.EACCES) {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
	return nil
}

// bundles are where a CA bundle may lie in the guest's files. The last is also
// where it is put for images without one, so the image's own comes first.
var bundles = []string{
	"etc/pki/tls/certs/ca-bundle.crt",
	"etc/ssl/ca-bundle.pem",
	"etc/ssl/cert.pem",
	"etc/ssl/certs/ca-certificates.crt",
}

// bundleOf is the guest's path of its CA bundle, empty where it has none.
func bundleOf(files *tree.Tree) string {
	root := files.Root()
	defer root.Close()
	for _, path := range bundles {
		if st, err := root.StatAt(path, true); err == nil && st.Type == tree.TypeRegular {
			return "/" + path
		}
	}
	return ""
}

// environment is the guest's, with what preview1 has no other word for: a
// working directory, which Go programs take from PWD, and the host's name. The
// CA bundle is named too, since Go's crypto/x509 and others know no place to
// look at on WASI, but do read the variables that OpenSSL has for it.
func environment(cfg Config, cabundle string) []string {
	env := make([]string, 0, len(cfg.Env)+3)
	hostname := cfg.Hostname != ""
	for _, kv := range cfg.Env {
		if cfg.Cwd != "" && strings.HasPrefix(kv, "PWD=") {
			continue
		}
		hostname = hostname && !strings.HasPrefix(kv, "HOSTNAME=")
		if strings.HasPrefix(kv, "SSL_CERT_FILE=") || strings.HasPrefix(kv, "SSL_CERT_DIR=") {
			cabundle = ""
		}
		env = append(env, kv)
	}
	if cabundle != "" {
		env = append(env, "SSL_CERT_FILE="+cabundle)
	}
	if cfg.Cwd != "" {
		env = append(env, "PWD="+cfg.Cwd)
	}
	if hostname {
		env = append(env, "HOSTNAME="+cfg.Hostname)
	}
	return env
}

// reserve is the part of a thread's stack that the host keeps for itself,
// below a guest's, in bytes.
const reserve = 256 << 10

// limits keeps the guest's stack within the thread's, so that its overflow is
// a trap and not a crash of the process.
func limits(l engine.Limits) engine.Limits {
	var r unix.Rlimit
	want := l.StackBytes
	if want == 0 {
		want = 1 << 20
	}
	if err := unix.Getrlimit(unix.RLIMIT_STACK, &r); err == nil && r.Cur < want+reserve && r.Cur > 2*reserve {
		l.StackBytes = r.Cur - reserve
	}
	return l
}

// notStarted classifies why a guest could not be started.
func notStarted(err error) Result {
	res := Result{Code: ExitSetup, Reason: err.Error()}
	var missing *engine.ImportError
	switch {
	case errors.Is(err, engine.ErrIncompatible):
		res.Stale = true
	case errors.As(err, &missing), errors.Is(err, engine.ErrInvalidModule):
		res.Code = ExitUnusable
	}
	var trap *engine.Trap
	if errors.As(err, &trap) {
		// The module's own start function did it.
		res.Code = ExitTrap
	}
	return res
}

// ended tells how a guest's call ended, and tells the user of a trap.
func ended(err error) Result {
	var exit *preview1.ExitError
	var trap *engine.Trap
	switch {
	case err == nil:
		return Result{}
	case errors.As(err, &exit):
		return Result{Code: int(min(exit.Code, maxExit))}
	case errors.As(err, &trap):
		fmt.Fprint(os.Stderr, "wherry: "+trap.Error()+"\n"+backtrace(trap))
		return Result{Code: ExitTrap, Reason: trap.Error()}
	case errors.Is(err, engine.ErrNoExport):
		fmt.Fprintln(os.Stderr, "wherry: "+err.Error())
		return Result{Code: ExitUnusable, Reason: err.Error()}
	}
	fmt.Fprintln(os.Stderr, "wherry: "+err.Error())
	return Result{Code: ExitTrap, Reason: err.Error()}
}

// backtrace gives a trap's frames with our name before each line.
func backtrace(t *engine.Trap) string {
	var b strings.Builder
	for line := range strings.Lines(t.Backtrace()) {
		b.WriteString("wherry: " + line)
	}
	return b.String()
}

// page is the unit in which a memory grows.
const page = 64 << 10

// memoryFull tells whether the guest's memory stands at its limit. Engines do
// not say when growing it failed.
func (g *running) memoryFull() bool {
	if g.limit == 0 {
		return false
	}
	// Programs grow by more than a page at a time: within a sixteenth of the
	// limit there was no room for a growth.
	n := uint64(len(g.instance.Memory("memory")))
	return n+max(page, g.limit/16) > g.limit
}

func (g *running) limitReached() string {
	has := fmt.Sprintf("the guest has %s", mib(uint64(len(g.instance.Memory("memory")))))
	if g.reserved > 0 {
		has += fmt.Sprintf(", and %s are its process's own", mib(g.reserved))
	}
	return fmt.Sprintf("memory.grow failed at limit %s: %s", mib(g.limit+g.reserved), has)
}

func mib(n uint64) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
