package build

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
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
	s := openStore(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		context1 := archive(t, map[string]string{"Dockerfile": string(text), "a.wasm": hello, "dir/f": "f", "link": "-> ../link"})
		guest := runner(func(RunSpec) (int, error) { return 0, nil })
		_, err := Run(context.Background(), Options{Context: context1, Runner: guest, TempDir: t.TempDir()}, s)
		if err != nil && strings.Contains(err.Error(), "\n") && !bytes.ContainsAny(text, "\"'\\<") {
			t.Errorf("%q is refused in several lines: %q", text, err)
		}
	})
}

// FuzzContext looks for archives that crash it or that leave its folder.
func FuzzContext(f *testing.F) {
	plain := archive(f, map[string]string{"Dockerfile": "FROM scratch\nCOPY . /\n", "a": "a", "l": "-> /", "l/../../x": "x"}).Bytes()
	f.Add(plain)
	f.Add(plain[:700])
	f.Add([]byte("\x1f\x8b\x08"))
	s := openStore(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		res, err := Run(context.Background(), Options{Context: bytes.NewReader(data), Progress: io.Discard, TempDir: t.TempDir()}, s)
		if (err == nil) != (res.ID != "") {
			t.Errorf("%+v, %v", res, err)
		}
	})
}
