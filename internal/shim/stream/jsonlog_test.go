//go:build linux

package stream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// openLog opens a log whose clock stands still.
func openLog(t *testing.T, maxSize int64, maxFile int) (*JSONLog, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log.json")
	l, err := OpenJSONLog(path, maxSize, maxFile)
	if err != nil {
		t.Fatal(err)
	}
	l.now = func() time.Time { return time.Date(2022, 10, 24, 16, 0, 0, 123456789, time.FixedZone("", 3600)) }
	t.Cleanup(func() { l.Close() })
	return l, path
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, l *JSONLog, s Stream, text string) {
	t.Helper()
	if err := l.Write(s, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestJSONLogGolden(t *testing.T) {
	l, path := openLog(t, 0, 0)
	write(t, l, Stdout, "hello\nwor")
	write(t, l, Stderr, "oh <no> & \"yes\"\n")
	write(t, l, Stdout, "ld\n\n")
	write(t, l, Stderr, "bytes \xff\x00 and é\n")
	write(t, l, Stdout, "no newline")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// As Docker's json-file driver writes it.
	want := strings.ReplaceAll(`{"log":"hello\n","stream":"stdout","time":"T"}
{"log":"oh \u003cno\u003e \u0026 \"yes\"\n","stream":"stderr","time":"T"}
{"log":"world\n","stream":"stdout","time":"T"}
{"log":"\n","stream":"stdout","time":"T"}
{"log":"bytes \ufffd\u0000 and é\n","stream":"stderr","time":"T"}
{"log":"no newline","stream":"stdout","time":"T"}
`, `"T"`, `"2022-10-24T15:00:00.123456789Z"`)
	if got := read(t, path); got != want {
		t.Errorf("the log is\n%s\nwant\n%s", got, want)
	}
}

// texts gives the texts of a log's records.
func texts(t *testing.T, data string) (list []string) {
	t.Helper()
	for line := range strings.Lines(data) {
		var r struct{ Log string }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, r.Log)
	}
	return list
}

func TestJSONLogCutsLongLines(t *testing.T) {
	for _, chunk := range []int{1, 7, 1000, maxLine, maxLine + 1, 1 << 20} {
		t.Run(fmt.Sprint(chunk), func(t *testing.T) {
			l, path := openLog(t, 0, 0)
			// Exactly a cut's length, and the same with a character across
			// every cut.
			text := strings.Repeat("x", maxLine) + "\n" + strings.Repeat("é", maxLine) + "x\nend\n"
			for rest := text; rest != ""; {
				n := min(chunk, len(rest))
				write(t, l, Stdout, rest[:n])
				rest = rest[n:]
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			got := texts(t, read(t, path))
			if joined := strings.Join(got, ""); joined != text {
				t.Error("text was changed")
			}
			var sizes []int
			for _, g := range got {
				sizes = append(sizes, len(g))
			}
			if want := []int{maxLine + 1, maxLine, maxLine, 2, 4}; fmt.Sprint(sizes) != fmt.Sprint(want) {
				t.Errorf("records of %v bytes, want %v", sizes, want)
			}
		})
	}
}

func TestJSONLogRotates(t *testing.T) {
	l, path := openLog(t, 200, 3)
	for i := range 20 {
		write(t, l, Stdout, fmt.Sprintf("line %02d\n", i))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range []string{path + ".2", path + ".1", path} {
		data := read(t, p)
		if len(data) > 200+100 {
			t.Errorf("%s has %d bytes", p, len(data))
		}
		all = append(all, texts(t, data)...)
	}
	if _, err := os.Stat(path + ".3"); err == nil {
		t.Error("a fourth file was kept")
	}
	if len(all) < 6 || all[len(all)-1] != "line 19\n" {
		t.Errorf("kept %q", all)
	}
	for i := 1; i < len(all); i++ {
		if all[i] <= all[i-1] {
			t.Errorf("order: %q after %q", all[i], all[i-1])
		}
	}
}

func TestJSONLogWithOneFileStartsAnew(t *testing.T) {
	l, path := openLog(t, 100, 1)
	for range 5 {
		write(t, l, Stdout, "something\n")
	}
	if got := texts(t, read(t, path)); len(got) == 0 || len(got) > 2 {
		t.Errorf("kept %d lines", len(got))
	}
	if names, err := filepath.Glob(path + "*"); err != nil || len(names) != 1 {
		t.Errorf("files: %v, %v", names, err)
	}
}

// A full disk loses lines, and says so, but leaves a log that can be read.
func TestJSONLogOnAFullDisk(t *testing.T) {
	l, err := OpenJSONLog("/dev/full", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Write(Stdout, []byte("lost\n")); err == nil {
		t.Error("no error from a full disk")
	}
	if l.buf.Len() != 0 {
		t.Error("what was lost is kept for ever")
	}
}

func TestJSONLogAppends(t *testing.T) {
	l, path := openLog(t, 0, 0)
	write(t, l, Stdout, "one\n")
	l.Close()
	again, err := OpenJSONLog(path, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	write(t, again, Stdout, "two\n")
	if got := strings.Join(texts(t, read(t, path)), ""); got != "one\ntwo\n" {
		t.Errorf("the log has %q", got)
	}
}

func FuzzJSONLog(f *testing.F) {
	f.Add([]byte("hello\nworld"), uint16(3))
	f.Add(bytes.Repeat([]byte("é"), maxLine), uint16(1000))
	f.Add([]byte("\xff\xfe\n\n\n"), uint16(1))
	f.Fuzz(func(t *testing.T, data []byte, chunk uint16) {
		l, path := openLog(t, 0, 0)
		for rest := data; len(rest) > 0; {
			n := min(int(chunk)+1, len(rest))
			if err := l.Write(Stdout, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		// Each record is JSON, and valid text comes back as it was.
		if got := strings.Join(texts(t, read(t, path)), ""); strings.ToValidUTF8(string(data), "") == string(data) && got != string(data) {
			t.Errorf("%q came back as %q", data, got)
		}
	})
}
