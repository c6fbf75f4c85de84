package module

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrUnsupported tells that a well-formed binary is not of a kind that Wherry
// runs. The message says what it is and which target to build for.
var ErrUnsupported = errors.New("unsupported WebAssembly module")

// unsupported is an error of one clear line that wraps ErrUnsupported.
type unsupported string

func (u unsupported) Error() string        { return string(u) }
func (u unsupported) Is(target error) bool { return target == ErrUnsupported }

// target is how to build a module that Wherry runs.
const target = "build for wasm32-wasip1 (Go: GOOS=wasip1 GOARCH=wasm)"

// Preview1 is the import module that Wherry offers to guests.
const Preview1 = "wasi_snapshot_preview1"

// Check tells in one line why Wherry can't run the module as a command, or
// nil. Errors wrap ErrUnsupported. Signatures and single functions of the
// WASI host are the engine's business at instantiation.
func (i *Info) Check() error { return i.CheckFunc("_start") }

// CheckFunc is Check for a module whose export fn is to be called, as
// "file.wasm#fn" asks.
func (i *Info) CheckFunc(fn string) error {
	if i.Kind == Component {
		return unsupported(fmt.Sprintf("the program is %s; Wherry runs core modules (%s): %s", i.componentText(), Preview1, target))
	}
	for _, f := range families {
		if text := f(i); text != "" {
			return unsupported("the module " + text)
		}
	}
	if im, ok := i.findImport(func(im Import) bool { return im.Module != Preview1 }); ok {
		return unsupported(fmt.Sprintf("the module imports the %s %q from %q, which Wherry does not have; modules may import from %s only: %s",
			im.Kind, im.Name, im.Module, Preview1, target))
	}
	e, ok := i.Export(fn)
	switch {
	case ok && e.Kind == Func:
		return nil
	case ok:
		return unsupported(fmt.Sprintf("the module's export %q is a %s, not a function", fn, e.Kind))
	case fn != "_start":
		return unsupported(fmt.Sprintf("the module exports no function %q (it has %s)", fn, i.functionNames()))
	}
	if _, reactor := i.Export("_initialize"); reactor {
		return unsupported("the module has no _start function: it is a reactor (a library); build a command, without -buildmode=c-shared or -mexec-model=reactor, or name a function as FILE.wasm#FUNCTION")
	}
	return unsupported(fmt.Sprintf("the module has no _start function (it exports %s): build a command with a main function for wasm32-wasip1, or name a function as FILE.wasm#FUNCTION", i.functionNames()))
}

// functionNames lists the exported functions, the first few.
func (i *Info) functionNames() string {
	var names []string
	for _, e := range i.Exports {
		if e.Kind != Func {
			continue
		}
		if len(names) == 5 {
			names = append(names, "…")
			break
		}
		names = append(names, shorten(e.Name))
	}
	if names == nil {
		return "no functions"
	}
	return strings.Join(names, ", ")
}

// shorten keeps hostile names from filling a message.
func shorten(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// families recognise what toolchains make for hosts other than WASI. Each
// answers how the sentence "the module …" goes on, or nothing.
var families = []func(*Info) string{wasix, wasmBindgen, goJS, unstable, threads, emscripten, plugin, assemblyScript}

// has finds an import from one of some modules, given by exact name.
func (i *Info) has(modules ...string) bool {
	_, ok := i.findImport(func(im Import) bool { return slices.Contains(modules, im.Module) })
	return ok
}

func wasix(i *Info) string {
	if i.has("wasix_32v1", "wasix_64v1") {
		return "was built for WASIX (it imports wasix_32v1), which only Wasmer has: build for wasm32-wasip1 instead of wasm32-wasmer-wasi"
	}
	return ""
}

func wasmBindgen(i *Info) string {
	_, ok := i.findImport(func(im Import) bool {
		return im.Module == "wbg" || strings.HasPrefix(im.Module, "__wbindgen_") ||
			strings.HasPrefix(im.Name, "__wbindgen_") || strings.HasPrefix(im.Name, "__wbg_")
	})
	if ok || slices.Contains(i.CustomSections, "__wasm_bindgen_unstable") {
		return "was built by wasm-bindgen for a browser or Node (wasm32-unknown-unknown): build with --target wasm32-wasip1, without wasm-bindgen or wasm-pack"
	}
	return ""
}

func goJS(i *Info) string {
	if i.has("gojs") {
		return "was built by Go for JavaScript (GOOS=js): build with GOOS=wasip1 GOARCH=wasm"
	}
	if _, ok := i.findImport(func(im Import) bool {
		return im.Module == "go" && (strings.HasPrefix(im.Name, "runtime.") || strings.HasPrefix(im.Name, "syscall/js."))
	}); ok {
		return "was built by Go for JavaScript (GOOS=js): build with GOOS=wasip1 GOARCH=wasm"
	}
	return ""
}

func unstable(i *Info) string {
	if i.has("wasi_unstable") {
		return "was built for wasi_unstable, WASI's draft of 2019: rebuild with a current toolchain for wasm32-wasip1"
	}
	return ""
}

func threads(i *Info) string {
	if i.has("wasi") {
		if _, ok := i.findImport(func(im Import) bool { return im.Module == "wasi" && im.Name == "thread-spawn" }); ok {
			return "uses WASI threads (it imports wasi.thread-spawn), which Wherry does not have: build for wasm32-wasip1 instead of wasm32-wasip1-threads"
		}
	}
	if im, ok := i.findImport(func(im Import) bool { return im.Module == "env" && im.Kind == Memory }); ok && len(i.Memories) > 0 && i.Memories[0].Shared {
		return fmt.Sprintf("wants a shared memory from its host (%s), which Wherry does not give: build for wasm32-wasip1 without threads", im)
	}
	if slices.ContainsFunc(i.Memories, func(m MemoryType) bool { return m.Shared }) {
		return "has a shared memory, as threads need, which Wherry does not give: build for wasm32-wasip1 without threads"
	}
	return ""
}

func emscripten(i *Info) string {
	const text = "was built by Emscripten for JavaScript: build with wasi-sdk or clang --target=wasm32-wasip1, or with emcc -sSTANDALONE_WASM"
	if _, ok := i.findImport(func(im Import) bool {
		if im.Module != "env" {
			return false
		}
		for _, prefix := range []string{"emscripten_", "_emscripten_", "__emscripten_", "invoke_", "__syscall_", "__cxa_", "_embind_", "__asyncjs__", "_abort_js", "_tzset_js", "_mmap_js", "_munmap_js", "__assert_fail"} {
			if strings.HasPrefix(im.Name, prefix) {
				return true
			}
		}
		return false
	}); ok {
		return text
	}
	// With optimisation Emscripten shortens every name: module "a", names of
	// one or two letters.
	if len(i.Imports) == 0 {
		return ""
	}
	if _, other := i.findImport(func(im Import) bool { return im.Module != "a" || len(im.Name) > 2 }); !other {
		return text
	}
	return ""
}

func plugin(i *Info) string {
	im, ok := i.findImport(func(im Import) bool {
		return strings.HasPrefix(im.Module, "wasi_ephemeral_") || im.Module == "wasi_nn" || strings.HasPrefix(im.Module, "wasmedge_")
	})
	if !ok {
		return ""
	}
	return fmt.Sprintf("needs a plugin of WasmEdge (it imports %s), which this engine does not have", shorten(im.String()))
}

func assemblyScript(i *Info) string {
	im, ok := i.findImport(func(im Import) bool {
		return im.Module == "env" && (im.Name == "abort" || im.Name == "console.log" || im.Name == "seed") && im.Kind == Func
	})
	if !ok {
		return ""
	}
	return fmt.Sprintf("was built by AssemblyScript for JavaScript (it imports %s): build with @assemblyscript/wasi-shim", im)
}
