package source

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

type clang struct{}

func (clang) name() string { return "c" }

func (clang) has(names []string) bool { return hasSuffix(names, ".c") }

// clangCure says how to get a C compiler for Wasm.
const clangCure = "install it (Debian: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32) or set WASI_SDK_PATH to a wasi-sdk"

// clangTool is a C compiler and where its C library is.
type clangTool struct{ path, sysroot string }

func findClang() (clangTool, error) {
	if sdk := os.Getenv("WASI_SDK_PATH"); sdk != "" {
		t := clangTool{filepath.Join(sdk, "bin", "clang"), filepath.Join(sdk, "share", "wasi-sysroot")}
		if _, err := exec.LookPath(t.path); err != nil {
			return t, missing("WASI_SDK_PATH is "+sdk+" and has no bin/clang", "set it to the folder of a wasi-sdk")
		}
		return t, nil
	}
	path, err := exec.LookPath("clang")
	if err != nil {
		return clangTool{}, missing("it is a C program and there is no clang", clangCure)
	}
	for _, sysroot := range []string{"/usr", "/usr/share/wasi-sysroot", "/opt/wasi-sysroot"} {
		if _, err := os.Stat(filepath.Join(sysroot, "lib", "wasm32-wasi", "libc.a")); err == nil {
			return clangTool{path, sysroot}, nil
		}
	}
	return clangTool{}, missing("it is a C program and clang has no C library for wasm32-wasi", clangCure)
}

// compile compiles all C files right in the folder as one program.
func (clang) compile(ctx context.Context, dir, out string, log io.Writer) error {
	tool, err := findClang()
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.c"))
	if err != nil {
		return err
	}
	for i, f := range files {
		files[i] = filepath.Base(f)
	}
	slices.Sort(files)
	fmt.Fprintf(log, "compiling %s: clang --target=wasm32-wasi %s\n", dir, strings.Join(files, " "))
	// Names of files are relative, so that none of this machine's paths gets in.
	args := append([]string{"--target=wasm32-wasi", "--sysroot=" + tool.sysroot, "-O2", "-Wl,--strip-debug", "-o", out}, files...)
	said, err := run(ctx, dir, nil, log, tool.path, args...)
	log.Write(said)
	return err
}

// escapeGlob quotes what Glob would take for a pattern.
func escapeGlob(path string) string {
	if filepath.Separator == '\\' {
		return path // Windows has no quoting, and no * or ? in names
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
