package module

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const header = "\x00asm\x01\x00\x00\x00"

// str is a name with its length.
func str(s string) string { return string(leb(len(s))) + s }

func leb(n int) []byte {
	var b []byte
	for {
		c := byte(n & 0x7f)
		n >>= 7
		if n == 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func section(id byte, body string) string {
	return string(id) + string(leb(len(body))) + body
}

// vec counts entries.
func vec(entries ...string) string {
	return string(leb(len(entries))) + strings.Join(entries, "")
}

func funcImport(module, name string) string { return str(module) + str(name) + "\x00\x00" }

// build makes a module of a type, imports, and exports of functions.
func build(imports []string, exports ...string) string {
	var ex []string
	for _, e := range exports {
		ex = append(ex, str(e)+"\x00\x00")
	}
	return header + section(1, vec("\x60\x00\x00")) + section(2, vec(imports...)) +
		section(3, vec("\x00")) + section(7, vec(ex...)) + section(10, vec("\x02\x00\x0b"))
}

// component makes a component with instances imported and exported.
func component(imports, exports []string) string {
	var im, ex []string
	for _, i := range imports {
		im = append(im, "\x00"+str(i)+"\x05\x00")
	}
	for _, e := range exports {
		ex = append(ex, "\x00"+str(e)+"\x05\x00\x00")
	}
	return "\x00asm\x0d\x00\x01\x00" + section(10, vec(im...)) + section(1, header) + section(11, vec(ex...))
}

func TestInspect(t *testing.T) {
	producers := section(0, str("producers")+vec(str("language")+vec(str("Go")+str("1.26")), str("processed-by")+vec(str("x")+str("2"))))
	b := header + producers + section(1, vec("\x60\x00\x00")) +
		section(2, vec(funcImport(Preview1, "fd_write"), str("env")+str("mem")+"\x02\x03\x01\x10", str("env")+str("t")+"\x01\x70\x00\x01",
			str("env")+str("g")+"\x03\x7f\x00", str("env")+str("tag")+"\x04\x00\x00")) +
		section(3, vec("\x00", "\x00")) + section(5, vec("\x05\x01\x80\x80\x04")) + section(7, vec(str("_start")+"\x00\x01", str("memory")+"\x02\x00")) +
		section(8, "\x00") + section(10, vec("\x02\x00\x0b", "\x02\x00\x0b"))
	i, err := InspectBytes([]byte(b))
	if err != nil {
		t.Fatal(err)
	}
	if i.Kind != Core || i.Size != int64(len(b)) || !i.GoBuild || !i.HasStart || i.Functions != 2 || len(i.Producers) != 2 || i.Producers[1] != (Producer{"processed-by", "x", "2"}) {
		t.Errorf("info = %+v", i)
	}
	kinds := []ExternKind{Func, Memory, Table, Global, Tag}
	for n, im := range i.Imports {
		if im.Kind != kinds[n] {
			t.Errorf("import %s is a %s, want %s", im, im.Kind, kinds[n])
		}
	}
	if len(i.Memories) != 2 || !i.Memories[0].Imported || !i.Memories[0].Shared || i.Memories[0].Max != 16 ||
		!i.Memories[1].Memory64 || i.Memories[1].Max != 1<<16 {
		t.Errorf("memories = %+v", i.Memories)
	}
	if e, ok := i.Export("memory"); !ok || e.Kind != Memory {
		t.Errorf("memory = %+v, %v", e, ok)
	}
	if !slices.Equal(i.CustomSections, []string{"producers"}) {
		t.Errorf("custom sections = %v", i.CustomSections)
	}
}

func TestNotWasm(t *testing.T) {
	tar := make([]byte, 512)
	copy(tar[257:], "ustar")
	for b, want := range map[string]string{
		"":                                     "an empty file",
		"\x7fELF\x02\x01\x01\x00":              "an ELF file",
		"\x1f\x8b\x08\x00\x00\x00\x00\x00":     "gzip data",
		string(tar):                            "a tar archive",
		"hello, world":                         "text",
		"(module (func))":                      "WebAssembly text",
		"\x00as":                               "only the first 3 bytes",
		"<!DOCTYPE html>":                      "HTML",
		"\x00\x01\x02\x03\x04\x05\x06\x07\x08": "data beginning with 00 01 02 03",
	} {
		_, err := InspectBytes([]byte(b))
		if !errors.Is(err, ErrNotWasm) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", b, err, want)
		}
	}
}

func TestDefects(t *testing.T) {
	long := strings.Repeat("\x80", 5) + "\x00"
	for name, c := range map[string]struct {
		b    string
		is   error
		text string
	}{
		"section cut":      {header + "\x0a\x64\x01", ErrTruncated, "the code section announces 100 bytes, 1 are left, at offset 0x8"},
		"no size":          {header + "\x0a", ErrTruncated, "size"},
		"cut at the end":   {build(nil, "_start")[:38], ErrTruncated, "announces"},
		"number too long":  {header + "\x01" + long, ErrMalformed, "longer than 32 bits"},
		"number too big":   {header + "\x01\xff\xff\xff\xff\x7f", ErrMalformed, "32 bits"},
		"count":            {header + section(2, "\xff\x7f"), ErrMalformed, "imports of 16383 in 0 bytes"},
		"name":             {header + section(2, "\x01\x7f"), ErrMalformed, "ends inside"},
		"not UTF-8":        {header + section(2, "\x01\x02\xff\xfe\x00\x00\x00"), ErrMalformed, "not UTF-8"},
		"kind":             {header + section(2, vec(str("a")+str("b")+"\x09")), ErrMalformed, "import a.b has the unknown kind 9"},
		"rest":             {header + section(7, vec()+"x"), ErrMalformed, "follow the exports"},
		"order":            {header + section(3, vec()) + section(1, vec()), ErrMalformed, "out of order"},
		"twice":            {header + section(1, vec()) + section(1, vec()), ErrMalformed, "repeated"},
		"unknown section":  {header + section(99, ""), ErrMalformed, "unknown section 99"},
		"functions":        {header + section(3, "\x7f"), ErrMalformed, "127 functions"},
		"version":          {"\x00asm\x02\x00\x00\x00", ErrMalformed, "version 2"},
		"limits":           {header + section(5, vec("\x77\x00")), ErrMalformed, "unknown limits"},
		"component sort":   {"\x00asm\x0d\x00\x01\x00" + section(10, vec("\x00"+str("x")+"\x09")), ErrMalformed, "unknown sort"},
		"component id":     {"\x00asm\x0d\x00\x01\x00" + section(40, ""), ErrMalformed, "unknown section 40"},
		"too many imports": {header + "\x02\xff\xff\xff\xff\x0f", ErrTruncated, "the import section announces"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := InspectBytes([]byte(c.b))
			if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), "offset 0x") {
				t.Errorf("error = %v; want one with %q", err, c.text)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	memory := str("env") + str("memory") + "\x02\x03\x01\x10"
	for name, c := range map[string]struct{ b, want string }{
		"good":         {build([]string{funcImport(Preview1, "fd_write")}, "_start"), ""},
		"command":      {component([]string{"wasi:io/streams@0.2.0"}, []string{"wasi:cli/run@0.2.0"}), "a WASI 0.2 component (world wasi:cli/command 0.2.0); Wherry runs core modules"},
		"proxy":        {component(nil, []string{"wasi:http/incoming-handler@0.2.3"}), "world wasi:http/proxy 0.2.3"},
		"0.3":          {component([]string{"wasi:cli/environment@0.3.0-rc-1"}, nil), "a WASI 0.3 component;"},
		"component":    {component(nil, []string{"add"}), "is a component;"},
		"wasm-bindgen": {build([]string{funcImport("wbg", "__wbg_log_1")}, "main"), "wasm-bindgen for a browser or Node"},
		"bindgen raw":  {build([]string{funcImport("__wbindgen_placeholder__", "x")}, "main"), "wasm-bindgen"},
		"emscripten":   {build([]string{funcImport("env", "emscripten_resize_heap"), funcImport(Preview1, "fd_write")}, "main"), "Emscripten"},
		"emscripten O": {build([]string{funcImport("a", "a"), funcImport("a", "b")}, "c"), "Emscripten"},
		"wasix":        {build([]string{funcImport("wasix_32v1", "futex_wait")}, "_start"), "WASIX"},
		"gojs":         {build([]string{funcImport("gojs", "runtime.wasmExit")}, "run"), "GOOS=wasip1"},
		"go":           {build([]string{funcImport("go", "syscall/js.valueGet")}, "run"), "GOOS=wasip1"},
		"unstable":     {build([]string{funcImport("wasi_unstable", "fd_write")}, "_start"), "wasi_unstable"},
		"threads":      {build([]string{funcImport("wasi", "thread-spawn")}, "_start"), "WASI threads"},
		"shared":       {build([]string{memory}, "_start"), "shared memory"},
		"nn":           {build([]string{funcImport("wasi_ephemeral_nn", "load")}, "_start"), "plugin of WasmEdge (it imports wasi_ephemeral_nn.load)"},
		"as":           {build([]string{funcImport("env", "abort")}, "main"), "AssemblyScript"},
		"unknown":      {build([]string{funcImport(Preview1, "fd_write"), funcImport("mine", "f")}, "_start"), `imports the func "f" from "mine"`},
		"reactor":      {build(nil, "_initialize", "add"), "it is a reactor"},
		"no _start":    {build(nil, "add"), "no _start function (it exports add)"},
		"not a func":   {header + section(5, vec("\x00\x01")) + section(7, vec(str("_start")+"\x02\x00")), "is a memory, not a function"},
	} {
		t.Run(name, func(t *testing.T) {
			i, err := InspectBytes([]byte(c.b))
			if err != nil {
				t.Fatal(err)
			}
			err = i.Check()
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error = %v; want one with %q", err, c.want)
			}
		})
	}
	i, err := InspectBytes([]byte(build(nil, "add")))
	if err != nil {
		t.Fatal(err)
	}
	if err := i.CheckFunc("add"); err != nil {
		t.Error(err)
	}
	if err := i.CheckFunc("sub"); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), `exports no function "sub" (it has add)`) {
		t.Error(err)
	}
}

func TestCapabilities(t *testing.T) {
	for want, funcs := range map[string][]string{
		"":                       {"fd_write", "random_get", "proc_exit"},
		"listen, read clock":     {"sock_open", "sock_listen_v2", "sock_accept", "clock_time_get", "path_open"},
		"accept":                 {"sock_accept"},
		"connect, resolve names": {"sock_open", "sock_connect", "sock_getaddrinfo"},
	} {
		var imports []string
		for _, f := range funcs {
			imports = append(imports, funcImport(Preview1, f))
		}
		i, err := InspectBytes([]byte(build(imports, "_start")))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(i.Capabilities(), ", "); got != want {
			t.Errorf("%v: may %q, want %q", funcs, got, want)
		}
		if got := i.CanListen(); got != (strings.HasPrefix(want, "listen") || want == "accept") {
			t.Errorf("%v: CanListen = %v", funcs, got)
		}
		// Who can only accept needs the listeners handed over.
		if plain, preopen := i.WhyDeaf(false) != "", i.WhyDeaf(true) != ""; preopen == i.CanListen() || plain == i.CanListen() && i.CanOpenSockets() {
			t.Errorf("%v: deaf: %v, with pre-opened listeners: %v", funcs, plain, preopen)
		}
		if got := i.CanOpenSockets(); got != slices.Contains(funcs, "sock_open") {
			t.Errorf("%v: CanOpenSockets = %v", funcs, got)
		}
	}
}
