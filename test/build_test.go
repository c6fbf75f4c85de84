package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/testutil/registry"
	"wherry/internal/testutil/wherry"
)

// show is a guest that writes a file, or prints what it sees.
const show = `package main

import ("fmt"; "io/fs"; "os"; "strings")

func main() {
	if len(os.Args) > 3 && os.Args[1] == "write" {
		if err := os.WriteFile(os.Args[2], []byte(os.Args[3]), 0o644); err != nil { fmt.Println(err); os.Exit(7) }
		return
	}
	wd, err := os.Getwd()
	fmt.Println(os.Args[1:], wd, err, os.Getenv("A"), os.Getenv("B"))
	for _, dir := range []string{"bin", "data", "here.txt", "logs", "srv", "unpacked"} {
		err := fs.WalkDir(os.DirFS("/"), dir, func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.HasSuffix(p, ".wasm") {
				b, err := fs.ReadFile(os.DirFS("/"), p)
				fmt.Printf("%s=%q %v\n", p, b, err)
			} else { fmt.Println(p, err) }
			return err
		})
		if err != nil { os.Exit(1) }
	}
}
`

// buildContext writes files below a new folder.
func buildContext(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, text)
	}
	return dir
}

const everything = `# syntax=docker/dockerfile:1
ARG BASE=scratch
FROM ${BASE} AS tools
COPY show.wasm /bin/show.wasm
ENTRYPOINT ["/bin/show.wasm"]
RUN ["/bin/show.wasm", "write", "/made.txt", "by the guest"]

FROM --platform=wasi/wasm scratch AS final
ARG VERSION=1
ENV A=one B="${VERSION}-two"
WORKDIR /srv/app
COPY --from=tools /made.txt ./
COPY --from=tools /bin /bin/
COPY sub a.txt ./
ADD t.tar /unpacked/
ADD *.log /logs/
COPY <<EOF /here.txt
version ${VERSION}
EOF
EXPOSE 8080/tcp 53/udp
LABEL org.example.x="y z" v=$VERSION
USER 1000:1000
VOLUME /data
STOPSIGNAL SIGINT
ENTRYPOINT ["/bin/show.wasm"]
CMD ["by", "default"]

FROM tools AS unneeded
COPY nothing.here /
`

// A Dockerfile with every instruction gives the image that it says, and the
// same one each time.
func TestDockerfile(t *testing.T) {
	e := wherry.Start(t)
	dir := buildContext(t, map[string]string{
		"show.go": show, "Dockerfile": everything, ".dockerignore": "*.log\n!kept.log\nsub/secret\n*.go\n",
		"a.txt": "a", "sub/deep/k": "k", "sub/secret": "s", "lost.log": "l", "kept.log": "kept",
		"t.tar": string(tarOf(t, map[string][]byte{"inside.txt": []byte("tar")})),
	})
	compile := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "show.wasm"), filepath.Join(dir, "show.go"))
	compile.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if _, stderr, code := wherry.Output(t, compile); code != 0 {
		t.Fatal(stderr)
	}
	build := func(args ...string) string {
		t.Helper()
		args = append([]string{"build", "-q", "-t", "all", "--target", "final", "--build-arg", "VERSION=3", "--label", "z=1"}, args...)
		return e.Must(append(args, dir)...)
	}
	first := build()
	want := `[by default] /srv/app <nil> one 3-two
bin <nil>
bin/show.wasm <nil>
data <nil>
here.txt="version 3\n" <nil>
logs <nil>
logs/kept.log="kept" <nil>
srv <nil>
srv/app <nil>
srv/app/a.txt="a" <nil>
srv/app/deep <nil>
srv/app/deep/k="k" <nil>
srv/app/made.txt="by the guest" <nil>
unpacked <nil>
unpacked/inside.txt="tar" <nil>`
	if got := e.Must("run", "--rm", "all"); got != want {
		t.Errorf("the image's program sees\n%s\nwant\n%s", got, want)
	}
	if got := e.Must("run", "--rm", "all", "other"); !strings.HasPrefix(got, "[other] ") {
		t.Errorf("with another command it prints %q", got)
	}
	config := `{"User":"1000:1000","ExposedPorts":{"53/udp":{},"8080/tcp":{}},"Env":["A=one","B=3-two"],"Entrypoint":["/bin/show.wasm"],"Cmd":["by","default"],"Volumes":{"/data":{}},"WorkingDir":"/srv/app","Labels":{"org.example.x":"y z","v":"3","z":"1"},"StopSignal":"SIGINT"}`
	if got := e.Must("inspect", "-f", "{{json .Config}}", "all"); got != config {
		t.Errorf("the image says %s\nwant %s", got, config)
	}

	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "a.txt"), later, later); err != nil {
		t.Fatal(err)
	}
	if again := build("--no-cache"); again != first {
		t.Errorf("the same input made %s and %s", first, again)
	}
	dated := build("--build-arg", "SOURCE_DATE_EPOCH=1700000000")
	if got := e.Must("inspect", "-f", "{{.Created}}", "all"); dated == first || got != "2023-11-14T22:13:20Z" {
		t.Errorf("with SOURCE_DATE_EPOCH it is %s of %s", dated, got)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	if got := build("--no-cache"); got != dated {
		t.Errorf("with the variable it is %s, with the argument %s", got, dated)
	}
	if got := build("--build-arg", "SOURCE_DATE_EPOCH=0"); got != first {
		t.Errorf("the argument does not win over the variable: %s, want %s", got, first)
	}
}

// RUN in a stage of a Linux image fails at its line, and the line says what to
// do, whether the image is only known by its platform or has to be pulled.
func TestRunInLinuxStage(t *testing.T) {
	e := wherry.Start(t)
	reg := registry.Start(t, registry.Options{})
	l := newLayout(t)
	files := tarOf(t, map[string][]byte{"bin/sh": []byte("\x7fELF")})
	linux := l.manifest(ocispec.MediaTypeImageManifest, l.blob(ocispec.MediaTypeImageConfig, ordinary("linux/amd64", "/bin/sh", files)), nil, l.blob(ocispec.MediaTypeImageLayer, files))
	base := reg.Host + "/golang"
	e.Must("load", "-q", "-i", l.archive(base, linux))
	e.Must("push", "-q", base)
	e.Must("rmi", base)
	for _, from := range []string{base, "--platform=linux/amd64 " + base, "--platform=$BUILDPLATFORM " + base} {
		dir := buildContext(t, map[string]string{"Dockerfile": "FROM " + from + " AS build\n\nRUN GOOS=wasip1 GOARCH=wasm go build -o /app.wasm\nFROM scratch\nCOPY --from=build /app.wasm /\n"})
		t.Run(from, func(t *testing.T) {
			bad{"build", []string{"build", "-q", dir}, 1, []string{"Dockerfile:3: RUN ", "Linux", "wherry build DIR"}}.refuse(t, e)
		})
	}
}

// sources are folders without a Dockerfile.
var sources = map[string]map[string]string{
	"go":   {"go.mod": "module hello\n\ngo 1.24\n", "main.go": "package main\n\nimport (\"fmt\"; \"os\")\n\nfunc main() { fmt.Println(\"hello\", os.Args[1]) }\n"},
	"c":    {"hello.c": "#include <stdio.h>\nint main(int n, char **arg) { printf(\"hello %s\\n\", arg[1]); return 0; }\n"},
	"rust": {"Cargo.toml": "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2021\"\n", "src/main.rs": "fn main() { println!(\"hello {}\", std::env::args().nth(1).unwrap()) }\n"},
}

// hasCompiler skips where a language's compiler for Wasm is not installed.
func hasCompiler(t *testing.T, language string) {
	t.Helper()
	need := map[string]string{"c": "/usr/lib/wasm32-wasi/libc.a", "rust": "/usr/lib/rustlib/wasm32-wasi*"}[language]
	if need == "" || os.Getenv("CI") == "true" {
		return
	}
	if found, err := filepath.Glob(need); err != nil || len(found) == 0 {
		t.Skipf("no compiler for %s guests: make test installs it", language)
	}
}

// Without a Dockerfile, what lies in the folder is compiled by the machine's
// own toolchain; what init writes is built and serves.
func TestSources(t *testing.T) {
	e := wherry.Start(t)
	for _, language := range slices.Sorted(maps.Keys(sources)) {
		t.Run(language, func(t *testing.T) {
			hasCompiler(t, language)
			e.Must("build", "-q", "-t", "hello-"+language, buildContext(t, sources[language]))
			if got := e.Must("run", "--rm", "hello-"+language, "world"); got != "hello world" {
				t.Errorf("it printed %q", got)
			}
			dir := filepath.Join(t.TempDir(), "service")
			e.Must("init", language, dir)
			e.Must("build", "-q", "-t", "service-"+language, dir)
			e.Must("run", "-d", "--name", "service-"+language, "-p", "127.0.0.1::8080", "service-"+language)
			if got := fetch(t, "http://"+e.Must("port", "service-"+language, "8080/tcp")+"/"); got != "Hello from wasi/wasm\n" {
				t.Errorf("the service answered %q; its log: %s", got, e.Must("logs", "service-"+language))
			}
		})
	}
	empty := t.TempDir()
	bad{"nothing to build", []string{"build", empty}, 1, []string{empty, "wanted a Go program, a Cargo package, C files, or a Dockerfile"}}.refuse(t, e)
}

// Images go to a registry that asks for a token and come back, with the
// credentials that login wrote to the configuration file.
func TestLogin(t *testing.T) {
	e := wherry.Start(t)
	reg := registry.Start(t, registry.Options{User: "ann", Password: "secret", Token: true})
	dir := buildContext(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY greet.wasm /\nENTRYPOINT [\"/greet.wasm\"]\n", "greet.wasm": string(greeter("hello\n", 0))})
	name := reg.Host + "/team/greet"
	id := e.Must("build", "-q", "-t", name, dir)
	denied := []string{"access denied", "wherry login"}
	bad{"push", []string{"push", "-q", name}, 1, denied}.refuse(t, e)

	login := func(password string) (string, int) {
		cmd := e.Command("login", "-u", "ann", "--password-stdin", reg.Host)
		cmd.Stdin = strings.NewReader(password)
		stdout, stderr, code := wherry.Output(t, cmd)
		return stdout + stderr, code
	}
	if out, code := login("wrong"); code != 1 || !strings.Contains(out, "wherry: ") {
		t.Errorf("a wrong password: code %d, %s", code, out)
	}
	if out, code := login("secret"); code != 0 || !strings.Contains(out, "Login Succeeded") {
		t.Fatalf("login: code %d, %s", code, out)
	}
	b, err := os.ReadFile(filepath.Join(e.Dir, "config", "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct{ Auths map[string]any }
	if err := json.Unmarshal(b, &config); err != nil || config.Auths[reg.Host] == nil {
		t.Errorf("the configuration file has no %s: %v %s", reg.Host, err, b)
	}
	e.Must("push", "-q", name)
	e.Must("rmi", name)
	if got := e.Must("run", "--rm", "-q", name); got != "hello" {
		t.Errorf("it printed %q", got)
	}
	if got := e.Must("inspect", "-f", "{{.Id}}", name); got != id {
		t.Errorf("it came back as %s, went as %s", got, id)
	}
	if reg.Tokens.Load() == 0 {
		t.Error("no token was asked for")
	}
	e.Must("logout", reg.Host)
	e.Must("rmi", name)
	bad{"pull", []string{"pull", name}, 1, denied}.refuse(t, e)
}

// A pull tells how it gets on: in lines where there is no terminal, with bars
// where there is one.
func TestPullProgress(t *testing.T) {
	script, err := exec.LookPath("script") // util-linux, part of every Debian
	if err != nil {
		t.Fatal(err)
	}
	e := wherry.Start(t)
	reg := registry.Start(t, registry.Options{})
	dir := buildContext(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY greet.wasm big /\nENTRYPOINT [\"/greet.wasm\"]\n", "greet.wasm": string(greeter("hello\n", 0)), "big": incompressible(8 << 20)})
	name := reg.Host + "/big"
	e.Must("build", "-q", "-t", name, dir)
	e.Must("push", "-q", name)

	e.Must("rmi", name)
	lines := e.Must("pull", name)
	for _, want := range []string{"Pulling from big", ": Pull complete", "Digest: sha256:", "Status: Downloaded newer image for " + name} {
		if !strings.Contains(lines, want) {
			t.Errorf("without a terminal %q is missing: %q", want, lines)
		}
	}
	if strings.ContainsAny(lines, "\x1b\r") {
		t.Errorf("without a terminal the cursor moves: %q", lines)
	}

	e.Must("rmi", name)
	cmd := exec.Command(script, "-qec", fmt.Sprintf("%s pull %s", filepath.Join(e.Bin, "wherry"), name), filepath.Join(t.TempDir(), "typescript"))
	cmd.Env, cmd.Dir = append(e.Env(), "TERM=xterm"), e.Dir
	shown, _, code := wherry.Output(t, cmd)
	if code != 0 || !strings.Contains(shown, "\x1b[") || !strings.Contains(shown, "Downloading") || !strings.Contains(shown, "MB/") {
		t.Errorf("on a terminal: code %d, %q", code, shown)
	}
}
