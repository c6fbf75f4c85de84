//go:build cgo && linux && (amd64 || arm64)

package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bytecodealliance/wasmtime-go/v44"
	"golang.org/x/sys/unix"

	"wherry/internal/engine"
	"wherry/internal/engine/engines"
	"wherry/internal/wasi/host/tree"
	"wherry/internal/wasi/preview1"
)

// calls are what is measured, and how many of them make a round.
var calls = []struct {
	name  string
	count int32
}{
	{"clock_time_get", 20000},
	{"fd_read", 4000},
	{"fd_write", 4000},
	{"path_open", 1000},
}

// rounds is how many rounds a median is of.
const rounds = 31

// caller runs an export of testdata/wasi/calls.wat and gives its sum of errnos.
type caller func(export string, n ...int32) (int32, error)

// BenchmarkWASI times WASI calls of one guest on every engine with Wherry's
// host, beside wasmtime with its own, and beside the bare system calls from Go.
// The figures are medians of rounds, one round of each in turn, and their ratios
// to wasmtime's own; path_open counts an open and a close.
func BenchmarkWASI(b *testing.B) {
	text, err := os.ReadFile("testdata/wasi/calls.wat")
	if err != nil {
		b.Fatal(err)
	}
	wasm, err := engines.ParseText(text)
	if err != nil {
		b.Fatal(err)
	}
	names, hosts := []string{"own", "bare"}, []caller{ownWASI(b, wasm), bareCalls(b)}
	for _, engine := range engines.Names() {
		names, hosts = append(names, engine), append(hosts, ourWASI(b, engine, wasm))
	}
	for _, host := range hosts {
		must(b, host, "setup")
	}
	for _, c := range calls {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				times := make([][]time.Duration, len(hosts))
				for i := range rounds + 1 {
					for h, host := range hosts {
						begin := time.Now()
						must(b, host, c.name, c.count)
						if i > 0 { // the first round warms caches
							times[h] = append(times[h], time.Since(begin))
						}
					}
				}
				own := median(times[0])
				for h, name := range names {
					b.ReportMetric(float64(median(times[h]).Nanoseconds())/float64(c.count), name+"-ns")
					if h > 0 {
						b.ReportMetric(float64(median(times[h]))/float64(own), name+"/own")
					}
				}
			}
			b.ReportMetric(0, "ns/op") // of a round of everything, which says nothing
		})
	}
}

func must(b *testing.B, host caller, export string, n ...int32) {
	b.Helper()
	if sum, err := host(export, n...); err != nil || sum != 0 {
		b.Fatalf("%s%v: errnos add up to %d, %v", export, n, sum, err)
	}
}

// bareCalls makes the system calls that each export stands for.
func bareCalls(b *testing.B) caller {
	b.Helper()
	dir, err := unix.Open(folder(b), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { unix.Close(dir) })
	fd, err := unix.Openat(dir, "data", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { unix.Close(fd) })
	page := make([]byte, 4096)
	var now time.Time
	once := map[string]func(i int32) error{
		"clock_time_get": func(int32) error { now = time.Now(); return nil },
		"fd_read":        func(i int32) error { _, err := unix.Pread(fd, page, int64(i%256)<<12); return err },
		"fd_write":       func(i int32) error { _, err := unix.Pwrite(fd, page, int64(i%256)<<12); return err },
		"path_open": func(int32) error {
			f, err := unix.Openat2(dir, "data", &unix.OpenHow{Flags: unix.O_RDWR | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH})
			if err != nil {
				return err
			}
			return unix.Close(f)
		},
	}
	return func(export string, n ...int32) (int32, error) {
		if len(n) == 0 {
			return 0, nil // nothing to set up
		}
		for i := range n[0] {
			if err := once[export](i); err != nil {
				return 0, err
			}
		}
		if export == "clock_time_get" && now.IsZero() {
			return 0, errors.New("no time was read")
		}
		return 0, nil
	}
}

// folder makes the guest's folder, with 1 MiB of data.
func folder(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "data"), make([]byte, 1<<20), 0o600); err != nil {
		b.Fatal(err)
	}
	return dir
}

// ownWASI is the guest on wasmtime with wasmtime's own WASI.
func ownWASI(b *testing.B, wasm []byte) caller {
	b.Helper()
	e := wasmtime.NewEngine()
	store, linker := wasmtime.NewStore(e), wasmtime.NewLinker(e)
	if err := linker.DefineWasi(); err != nil {
		b.Fatal(err)
	}
	config := wasmtime.NewWasiConfig()
	if err := config.PreopenDir(folder(b), "/", wasmtime.DIR_READ|wasmtime.DIR_WRITE, wasmtime.FILE_READ|wasmtime.FILE_WRITE); err != nil {
		b.Fatal(err)
	}
	store.SetWasi(config)
	module, err := wasmtime.NewModule(e, wasm)
	if err != nil {
		b.Fatal(err)
	}
	instance, err := linker.Instantiate(store, module)
	if err != nil {
		b.Fatal(err)
	}
	return func(export string, n ...int32) (int32, error) {
		params := make([]any, len(n))
		for i := range n {
			params[i] = n[i]
		}
		sum, err := instance.GetFunc(store, export).Call(store, params...)
		if err != nil {
			return 0, err
		}
		v, ok := sum.(int32)
		if !ok {
			return 0, fmt.Errorf("%s gave a %T", export, sum)
		}
		return v, nil
	}
}

// ourWASI is the guest on an engine of ours, its files an image's with a
// container's level above, as in a container.
func ourWASI(b *testing.B, name string, wasm []byte) caller {
	b.Helper()
	root, err := tree.New(tree.Config{Root: folder(b), Upper: filepath.Join(b.TempDir(), "upper")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { root.Close() })
	return guestOn(b, name, wasm, preview1.Config{Stdin: 0, Stdout: 1, Stderr: 2, Root: root})
}

// guestOn is a guest on an engine of ours, with what a configuration gives it.
func guestOn(b *testing.B, name string, wasm []byte, cfg preview1.Config) caller {
	b.Helper()
	e, err := engines.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close() })
	host, err := preview1.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { host.Close() })
	module, err := e.Compile(b.Context(), wasm)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { module.Close() })
	store, err := e.NewStore(engine.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	instance, err := store.Instantiate(b.Context(), module, host.Resolve)
	if err != nil {
		b.Fatal(err)
	}
	return func(export string, n ...int32) (int32, error) {
		params := make([]uint64, len(n))
		for i := range n {
			params[i] = uint64(uint32(n[i]))
		}
		sum, err := instance.Call(b.Context(), export, params...)
		if err != nil {
			return 0, err
		}
		return int32(sum[0]), nil
	}
}
