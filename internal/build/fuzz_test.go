package build

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"

	"wherry/internal/build/files"
	"wherry/internal/store"
)

// FuzzDockerfile looks for text that crashes the builder, or that it refuses in
// more than one line.
func FuzzDockerfile(f *testing.F) {
	for _, seed := range []string{
		"FROM scratch\nCOPY a.wasm /\nENTRYPOINT [\"/a.wasm\"]\n",
		"ARG V=1\nFROM scratch AS a\nARG V\nENV X=${V:-2} Y=${V%1}\nFROM a\nCOPY --from=a --chown=1:2 --chmod=755 . /x/\n",
		"# syntax=docker/dockerfile:1\n# escape=`\nFROM scratch\nCOPY <<E1 <<\"E2\" /d/\na $V\nE1\nb\nE2\n",
		"FROM scratch\nONBUILD RUN x\nHEALTHCHECK --interval=1s CMD x\nSHELL [\"a\"]\nCMD b\nEXPOSE 1-3/udp\nVOLUME [\"/v\"]\nSTOPSIGNAL 9\nUSER a\nLABEL a=b\nWORKDIR ../..\nMAINTAINER me\n",
		"FROM scratch\nADD a.wasm b/../../c /\nRUN [\"/c\"]\n",
		"FROM\nFORM", "FROM 0\n", "FROM scratch\nCOPY --from=0 a b\n", "FROM scratch\nCOPY [ a\n", "\xff\xfeF",
	} {
		f.Add([]byte(seed))
	}
	offline(f)
	s := openStore(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		err := dryRun(t, s, archive(t, map[string]string{"Dockerfile": string(text), "a.wasm": hello, "dir/f": "f", "link": "-> ../link"}))
		if err != nil && strings.Contains(err.Error(), "\n") && !bytes.ContainsAny(text, "\"'\\<") {
			t.Errorf("%q is refused in several lines: %q", text, err)
		}
	})
}

// FuzzContext looks for archives that crash it.
func FuzzContext(f *testing.F) {
	plain := archive(f, map[string]string{"Dockerfile": "FROM scratch\nCOPY . /\n", "a": "a", "l": "-> /", "l/../../x": "x"}).Bytes()
	f.Add(plain)
	f.Add(plain[:700])
	f.Add([]byte("\x1f\x8b\x08"))
	offline(f)
	s := openStore(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := dryRun(t, s, bytes.NewReader(data)); err == nil && len(data) < 512 {
			t.Errorf("%q was taken for a context", data)
		}
	})
}

// FuzzIgnore looks for .dockerignore files that crash it, take long, or take
// away more than they name.
func FuzzIgnore(f *testing.F) {
	for _, seed := range []string{"*.log\n!keep.log\n", "**/a\n# b\n", "[a\n", "/../..\n", "\ufeff*\n!dir/**/f", "a**b**c**d**e**f**g**h\n", "\\", "!"} {
		f.Add([]byte(seed))
	}
	offline(f)
	s := openStore(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		begun := time.Now()
		err := dryRun(t, s, archive(t, map[string]string{
			"Dockerfile": "FROM scratch\nCOPY . /\n", ".dockerignore": string(text), "a.wasm": hello, "dir/sub/f": "f", "keep.log": "k", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": "a",
		}))
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%q took %v", text, took)
		}
		if err != nil && !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q: unclassified: %v", text, err)
		}
	})
}

// offline keeps what a text names from being looked for anywhere.
func offline(f *testing.F) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		f.Setenv(name, "http://127.0.0.1:1")
	}
	f.Setenv("NO_PROXY", "")
	f.Setenv("no_proxy", "")
}

// dryRun builds all stages and keeps nothing: a fuzzer has no time for a disk
// that syncs.
func dryRun(t *testing.T, s *store.Store, context1 io.Reader) error {
	tmp := t.TempDir()
	b := &builder{
		Options: Options{Context: context1, Dockerfile: "Dockerfile", Runner: runner(func(RunSpec) (int, error) { return 0, nil })},
		store:   s, blobs: nowhere{}, tmp: tmp, spool: files.NewSpool(tmp), out: &stream{w: io.Discard}, when: time.Unix(0, 0),
	}
	last, err := b.stages(context.Background())
	if err == nil {
		last.inspect(&Result{})
	}
	return err
}

// nowhere takes content and forgets it.
type nowhere struct{ sum digest.Digester }

func (nowhere) Writer(context.Context, ...content.WriterOpt) (content.Writer, error) {
	return nowhere{digest.Canonical.Digester()}, nil
}
func (n nowhere) Write(p []byte) (int, error)   { return n.sum.Hash().Write(p) }
func (n nowhere) Digest() digest.Digest         { return n.sum.Digest() }
func (nowhere) Close() error                    { return nil }
func (nowhere) Truncate(int64) error            { return nil }
func (nowhere) Status() (content.Status, error) { return content.Status{}, nil }
func (nowhere) Commit(context.Context, int64, digest.Digest, ...content.Opt) error {
	return nil
}
