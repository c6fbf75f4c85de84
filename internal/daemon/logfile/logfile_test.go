package logfile

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// at is the time of line n.
func at(n int) time.Time { return time.Unix(1000+int64(n), 0).UTC() }

// line is entry n: odd ones are of stderr.
func line(n int) string {
	stream := "stdout"
	if n%2 == 1 {
		stream = "stderr"
	}
	b, err := json.Marshal(entry{Log: fmt.Sprintf("line %d\n", n), Stream: stream, Time: at(n)})
	if err != nil {
		panic(err)
	}
	return string(b) + "\n"
}

func lines(from, to int) string {
	var b strings.Builder
	for n := from; n < to; n++ {
		b.WriteString(line(n))
	}
	return b.String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// read answers the numbers of the lines that Read sends.
func read(t *testing.T, path string, o Options) string {
	t.Helper()
	var got []string
	err := Read(t.Context(), path, o, func(l Line) error {
		got = append(got, strings.TrimSuffix(strings.TrimPrefix(string(l.Log), "line "), "\n"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(got, " ")
}

func TestRead(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string // by suffix
		o     Options
		want  string
	}{
		"all":                   {map[string]string{"": lines(0, 4)}, Options{Stdout: true, Stderr: true, Tail: -1}, "0 1 2 3"},
		"none":                  {map[string]string{"": lines(0, 4)}, Options{Stdout: true, Stderr: true, Tail: 0}, ""},
		"no file":               {nil, Options{Stdout: true, Stderr: true, Tail: -1}, ""},
		"one stream":            {map[string]string{"": lines(0, 4)}, Options{Stdout: true, Tail: -1}, "0 2"},
		"tail":                  {map[string]string{"": lines(0, 9)}, Options{Stdout: true, Stderr: true, Tail: 2}, "7 8"},
		"tail of a stream":      {map[string]string{"": lines(0, 9)}, Options{Stderr: true, Tail: 2}, "5 7"},
		"tail of more":          {map[string]string{"": lines(0, 2)}, Options{Stdout: true, Stderr: true, Tail: 5}, "0 1"},
		"rotated":               {map[string]string{".2": lines(0, 2), ".1": lines(2, 4), "": lines(4, 6)}, Options{Stdout: true, Stderr: true, Tail: -1}, "0 1 2 3 4 5"},
		"tail over files":       {map[string]string{".2": lines(0, 2), ".1": lines(2, 4), "": lines(4, 6)}, Options{Stdout: true, Stderr: true, Tail: 3}, "3 4 5"},
		"since":                 {map[string]string{"": lines(0, 4)}, Options{Stdout: true, Stderr: true, Tail: -1, Since: at(2)}, "2 3"},
		"until":                 {map[string]string{"": lines(0, 4)}, Options{Stdout: true, Stderr: true, Tail: -1, Until: at(1)}, "0 1"},
		"just rotated":          {map[string]string{".1": lines(0, 2)}, Options{Stdout: true, Stderr: true, Tail: -1}, "0 1"},
		"a file of many blocks": {map[string]string{"": lines(0, 5000)}, Options{Stdout: true, Stderr: true, Tail: 3}, "4997 4998 4999"},
		"no newline at the end": {map[string]string{"": strings.TrimSuffix(lines(0, 2), "\n")}, Options{Stdout: true, Stderr: true, Tail: 1}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			for suffix, text := range tt.files {
				write(t, path+suffix, text)
			}
			if got := read(t, path, tt.o); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	head := line(0)
	write(t, path, head+"{\"log\":\"cut"+line(1)+line(2)+"\x00\x00\n{}\n"+line(3)+"{\"log\":\"the shim died he")
	var where []int64
	o := Options{Stdout: true, Stderr: true, Tail: -1, Damaged: func(_ string, offset int64) { where = append(where, offset) }}
	if got := read(t, path, o); got != "0 2 3" {
		t.Errorf("got %q", got)
	}
	if len(where) != 4 || where[0] != int64(len(head)) {
		t.Errorf("damage at %v, want 4 places, the first at %d", where, len(head))
	}
	if got := read(t, path, Options{Stdout: true, Stderr: true, Tail: 2}); got != "2 3" {
		t.Errorf("the last two are %q", got)
	}
}

func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, lines(0, 2))
	done, got, ended := make(chan struct{}), make(chan string, 100), make(chan error, 1)
	go func() {
		ended <- Read(context.Background(), path, Options{Stdout: true, Stderr: true, Tail: 1, Done: done}, func(l Line) error {
			got <- string(l.Log)
			return nil
		})
	}()
	expect := func(n int) {
		t.Helper()
		select {
		case s := <-got:
			if s != fmt.Sprintf("line %d\n", n) {
				t.Fatalf("got %q, want line %d", s, n)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("line %d did not come within 20 s", n)
		}
	}
	appendTo := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	expect(1)
	appendTo(line(2))
	expect(2)
	appendTo(line(3)[:10]) // a line in two writes
	appendTo(line(3)[10:])
	expect(3)
	appendTo(line(4))
	for _, mv := range [][2]string{{path, path + ".1"}} {
		if err := os.Rename(mv[0], mv[1]); err != nil {
			t.Fatal(err)
		}
	}
	appendTo(line(5))
	expect(4)
	expect(5)
	appendTo(line(6))
	close(done) // what is there at the end still comes
	expect(6)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// However often the log is rotated between two looks of a follower, or while it
// looks, it misses nothing and sees nothing twice.
func TestFollowFastRotation(t *testing.T) {
	const total, perFile = 8000, 40
	path := filepath.Join(t.TempDir(), "log")
	done := make(chan struct{})
	failed := make(chan error, 1)
	go func() {
		defer close(done)
		failed <- func() error {
			for n := 0; n < total; n += perFile {
				for i := n / perFile; i > 0; i-- {
					if err := os.Rename(rotated(path, i-1), rotated(path, i)); err != nil {
						return err
					}
				}
				if err := os.WriteFile(path, []byte(lines(n, n+perFile)), 0o600); err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	next := 0
	err := Read(t.Context(), path, Options{Tail: -1, Stdout: true, Stderr: true, Done: done}, func(l Line) error {
		if want := fmt.Sprintf("line %d\n", next); string(l.Log) != want {
			return fmt.Errorf("got %q, want %q", l.Log, want)
		}
		next++
		return nil
	})
	if err != nil || next != total {
		t.Errorf("%d lines of %d, %v", next, total, err)
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

func TestFollowUntilAndCancel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, line(0))
	o := Options{Stdout: true, Stderr: true, Tail: -1, Done: make(chan struct{}), Until: time.Now().Add(20 * time.Millisecond)}
	if got := read(t, path, o); got != "0" {
		t.Errorf("got %q", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	o.Until = time.Time{}
	if err := Read(ctx, path, o, func(Line) error { cancel(); return nil }); err != nil {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(lines(0, 3)), 2)
	f.Add([]byte("{\n\n{}\x00"), -1)
	f.Add([]byte(strings.Repeat("x", 3000)+"\n"+line(1)), 1)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		count := func(tail int) (c int) {
			if err := Read(context.Background(), path, Options{Stdout: true, Stderr: true, Tail: tail}, func(Line) error { c++; return nil }); err != nil {
				t.Fatal(err)
			}
			return c
		}
		all := count(-1)
		if n < 0 {
			return
		}
		if got, want := count(n), min(n, all); got != want {
			t.Errorf("the last %d of %d are %d", n, all, got)
		}
	})
}
