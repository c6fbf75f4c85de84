package test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"wherry/internal/testutil/registry"
	"wherry/internal/testutil/wherry"
)

// A bad is a command that can't work, its exit code, and what its one line on
// stderr must tell: what was wanted, what was found, what to do.
type bad struct {
	name string
	args []string
	code int
	says []string
}

// refuse runs a command that can't work.
func (b bad) refuse(t *testing.T, e *wherry.Engine) {
	t.Helper()
	stdout, stderr, code := e.Run(b.args...)
	line := strings.TrimSuffix(stderr, "\n")
	if b.args[0] == "build" {
		line = line[strings.LastIndexByte(line, '\n')+1:] // the steps until then come first
	} else if notice, rest, _ := strings.Cut(line, "\n"); strings.HasPrefix(notice, "Unable to find image '") {
		line = rest // docker tells before it pulls
	}
	if code != b.code {
		t.Errorf("exit code %d, want %d", code, b.code)
	}
	if !strings.HasPrefix(line, "wherry: ") || strings.Contains(line, "\n") || strings.HasSuffix(line, ": ") {
		t.Errorf("want one line that begins with wherry:, found %q", stderr)
	}
	for _, want := range b.says {
		if !strings.Contains(line, want) {
			t.Errorf("the line does not say %q: %s", want, line)
		}
	}
	if t.Failed() {
		t.Logf("wherry %s\nstdout: %s\nstderr: %s", strings.Join(b.args, " "), stdout, stderr)
	}
}

// BadInput is each thing that users get wrong.
func TestBadInput(t *testing.T) {
	e := wherry.Start(t)
	dir := t.TempDir()
	reg := registry.Start(t, registry.Options{})
	good := filepath.Join(dir, "good.wasm")
	write(t, good, string(module{exports: []string{"_start"}}.binary()))

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	e.Must("create", "--name", "taken", good)
	run := func(args ...string) []string { return append([]string{"run", "--rm"}, args...) }
	cases := []bad{
		{"missing image", run(reg.Host + "/nothing/here"), 125, []string{reg.Host + "/nothing/here", "not found"}},
		{"missing image, pull", []string{"pull", reg.Host + "/nothing/here"}, 1, []string{reg.Host + "/nothing/here", "not found"}},
		{"missing image, never pulled", run("--pull=never", reg.Host+"/nothing/here"), 125, []string{"No such image: " + reg.Host + "/nothing/here"}},
		{"missing file", run("./nothing.wasm"), 127, []string{"there is no file ./nothing.wasm"}},
		{"missing program", run("--entrypoint", "/other.wasm", good), 127, []string{"/other.wasm", "no such file or directory"}},
		{"program below a file", run("--entrypoint", "/good.wasm/x", good), 127, []string{"/good.wasm/x", "no such file or directory"}},
		{"program is a folder", run("--entrypoint", "/", good), 126, []string{`"/"`, "is a directory"}},
		{"no such function", run("--entrypoint", "/good.wasm#other", good), 126, []string{`no function "other"`, "it has _start"}},
		{"wrong platform", run("--platform", "linux/arm64", good), 125, []string{"wasip1/wasm", "linux/arm64", "wasi/wasm"}},
		{"no platform", run("--platform", "nonsense", good), 125, []string{`"nonsense"`}},
		{"port in use", run("-p", port+":80", good), 125, []string{":" + port, "port is already allocated", "publish another one"}},
		{"name in use", run("--name", "taken", good), 125, []string{`"/taken" is already in use`, "remove (or rename)"}},
		{"unknown runtime", run("--runtime", "io.containerd.lunatic.v1", good), 125, []string{"io.containerd.lunatic.v1", "known are", "io.containerd.wasmtime.v1"}},
	}
	cases = append(cases, badModules(t, dir)...)
	cases = append(cases, badDockerfiles(t, dir)...)
	for _, b := range cases {
		t.Run(b.name, func(t *testing.T) { b.refuse(t, e) })
	}
	if left := e.Must("ps", "-a", "--format", "{{.Names}}"); left != "taken" {
		t.Errorf("containers are left: %s", left)
	}
}

// badModules are files that can't be run, each as .wasm and, if it has one, in
// the text format.
func badModules(t *testing.T, dir string) (cases []bad) {
	t.Helper()
	const target = "build for wasm32-wasip1 (Go: GOOS=wasip1 GOARCH=wasm)"
	add := func(file string, content []byte, says ...string) {
		path := filepath.Join(dir, file)
		write(t, path, string(content))
		cases = append(cases, bad{file, []string{"run", "--rm", path}, 126, append(says, "exec format error", file)})
	}
	start := []string{"_start"}
	whole := module{exports: start}.binary()
	add("elf.wasm", []byte("\x7fELF\x02\x01\x01 and so on"), "not a WebAssembly module", "ELF", target)
	add("page.wasm", []byte("<html>404</html>\n"), "not a WebAssembly module", "HTML", target)
	add("words.wasm", []byte("This is no module.\n"), "not a WebAssembly module", "it is text", target)
	add("empty.wasm", nil, "not a WebAssembly module", "an empty file", target)
	add("header.wasm", whole[:6], "the first 6 bytes of a header")
	add("cut.wasm", whole[:len(whole)-2], "truncated", "announces", "at offset 0x", "build or copy it again")
	add("words.wat", []byte("(module\n  (func i32.adx))\n"), "line 2, column 9")
	add("invalid.wasm", module{exports: start, body: "\x6a"}.binary(), "invalid module", "type mismatch")
	add("component.wasm", component([]string{"wasi:io/streams@0.2.6"}, "wasi:cli/run@0.2.6"), "WASI 0.2", "wasi:cli/command 0.2.6", target)
	add("proxy.wasm", component(nil, "wasi:http/incoming-handler@0.2.0"), "WASI 0.2", "wasi:http/proxy 0.2.0", target)
	add("component.wat", []byte(`(component (instance $i) (export "wasi:cli/run@0.2.3" (instance $i)))`), "WASI 0.2", "wasi:cli/command 0.2.3", target)
	for name, m := range map[string]struct {
		module
		says []string
	}{
		"bindgen":    {module{imports: []string{"wbg.__wbindgen_throw"}, exports: start}, []string{"wasm-bindgen", "--target wasm32-wasip1"}},
		"emscripten": {module{imports: []string{"env.emscripten_resize_heap"}, exports: start}, []string{"Emscripten", "--target=wasm32-wasip1", "STANDALONE_WASM"}},
		"wasix":      {module{imports: []string{"wasix_32v1.thread_spawn"}, exports: start}, []string{"WASIX", "wasm32-wasip1 instead of wasm32-wasmer-wasi"}},
		"gojs":       {module{imports: []string{"gojs.runtime.wasmExit"}, exports: []string{"run"}}, []string{"Go for JavaScript", "GOOS=wasip1"}},
		"import":     {module{imports: []string{"env.frobnicate"}, exports: start}, []string{`"frobnicate"`, `"env"`, target}},
		"function":   {module{imports: []string{"wasi_snapshot_preview1.fd_frob"}, exports: start}, []string{`"wasi_snapshot_preview1"."fd_frob"`, target}},
		"mistyped":   {module{imports: []string{"wasi_snapshot_preview1.fd_close"}, exports: start}, []string{`"fd_close" has the wrong type`, "(i32) -> (i32)", target}},
		"reactor":    {module{exports: []string{"_initialize", "add"}}, []string{"no _start function", "reactor (a library)", "FILE.wasm#FUNCTION"}},
		"library":    {module{exports: []string{"add", "sub"}}, []string{"no _start function", "it exports add, sub", "FILE.wasm#FUNCTION"}},
	} {
		add(name+".wasm", m.binary(), m.says...)
		add(name+".wat", []byte(m.text()), m.says...)
	}
	return cases
}

// badDockerfiles are build contexts that can't be built.
func badDockerfiles(t *testing.T, dir string) (cases []bad) {
	t.Helper()
	for i, c := range []struct{ text, says string }{
		{"FROM scratch\n\nCOOPY a b\n", "Dockerfile:3: unknown instruction: COOPY"},
		{"FROM scratch\nCOPY nothing.wasm /\n", "Dockerfile:2: COPY: there is no nothing.wasm in the build context"},
		{"FROM scratch\nENTRYPOINT /app.wasm && true\n", "Dockerfile:2: "},
		{"FROM scratch\nENV A=1 \\\n  B\n", "Dockerfile:2: "},
		{"FROM scratch\nEXPOSE eighty\n", "Dockerfile:2: EXPOSE eighty"},
		{"FROM --platform=linux/amd64 scratch\nRUN make\n", "Dockerfile:2: "},
		{"# nothing\n", "Dockerfile:1: file with no instructions"},
	} {
		folder := filepath.Join(dir, fmt.Sprint("context", i))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, "Dockerfile"), c.text)
		cases = append(cases, bad{"Dockerfile " + strings.ReplaceAll(strings.TrimSpace(c.text), "\n", "; "), []string{"build", folder}, 1, []string{c.says}})
	}
	return cases
}
