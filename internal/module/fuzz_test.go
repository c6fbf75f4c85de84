package module

import (
	"errors"
	"strings"
	"testing"
)

// FuzzInspect holds that no bytes crash the parser or make it keep more than
// they are, and that every message is one line of bounded length.
func FuzzInspect(f *testing.F) {
	f.Add([]byte(build([]string{funcImport(Preview1, "fd_write")}, "_start")), "_start")
	f.Add([]byte(component([]string{"wasi:io/streams@0.2.0"}, []string{"wasi:cli/run@0.2.0"})), "run")
	f.Add([]byte(component([]string{"a\nb"}, []string{"wasi:http/incoming-handler@\n"})), "")
	f.Add([]byte(header+section(0, str("producers")+vec(str("language")+vec(str("Go")+str("1"))))), "_start")
	f.Add([]byte(header+section(5, vec("\x07\x01\x80\x80\x04"))+section(8, "\x00")), "_start")
	f.Add([]byte(build([]string{funcImport("env\n", "emscripten_\x00"), funcImport("a", "b")}, "_initialize")), "x\ny")
	f.Add([]byte("\x7fELF"), "_start")
	f.Add([]byte("<html>\n"), "_start")
	oneLine := func(t *testing.T, err error) {
		t.Helper()
		if strings.ContainsAny(err.Error(), "\n\r\x00") || len(err.Error()) > 3000 {
			t.Errorf("the message is %q", err)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, function string) {
		i, err := InspectBytes(b)
		if err != nil {
			if !errors.Is(err, ErrNotWasm) && !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrMalformed) {
				t.Errorf("unclassified: %v", err)
			}
			oneLine(t, err)
			return
		}
		if len(i.Imports)+len(i.Exports)+len(i.CustomSections)+len(i.Producers) > len(b) {
			t.Errorf("more entries than bytes: %+v", i)
		}
		for _, err := range []error{i.Check(), i.CheckFunc(function)} {
			if err == nil {
				continue
			}
			if !errors.Is(err, ErrUnsupported) {
				t.Errorf("unclassified: %v", err)
			}
			if len(function) < 100 {
				oneLine(t, err)
			}
		}
		i.Capabilities()
		i.World()
		IsText("x.wat", b[:min(len(b), 512)])
	})
}
