//go:build linux

package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wherry/internal/engine/engines"
	"wherry/internal/wasi/host/tree"
)

// raceVariable is how long each race goes on.
const raceVariable = "HOSTILE_RACE"

// race is what happens on the host while a guest tries again and again. begin
// returns what is done over and over.
type race struct {
	name  string
	begin func(t *testing.T, w *world) func(round int) error
}

var raceTable = []race{
	{"folder for link", func(_ *testing.T, w *world) func(int) error {
		swap, link := w.base+"/m/r1/swap", w.base+"/m/r1/link"
		return func(int) error {
			return unix.Renameat2(unix.AT_FDCWD, swap, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE)
		}
	}},
	{"rename above", func(_ *testing.T, w *world) func(int) error {
		in, out := w.base+"/m/r2/a/b", w.base+"/b"
		return func(round int) error {
			if round%2 == 0 {
				return os.Rename(in, out)
			}
			return os.Rename(out, in)
		}
	}},
	{"link in the middle", func(_ *testing.T, w *world) func(int) error {
		bodies := []string{"real", "../../../outside", w.outside, "real"}
		return func(round int) error {
			next := w.base + "/m/r3/next"
			if err := os.Symlink(bodies[round%len(bodies)], next); err != nil {
				return err
			}
			return replace(next, w.base+"/m/r3/x/l")
		}
	}},
	{"file for anything", func(_ *testing.T, w *world) func(int) error {
		nodes := []node{{"thing", file, "mount:"}, {"thing", link, "../../outside/file"}, {"thing", fifo, ""}, {"thing", file, "mount:"},
			{"thing", link, w.outside + "/secret"}, {"thing", unixSocket, ""}, {"thing", device, "c 1 1"}, {"thing", hardLink, "../file"}}
		return func(round int) error {
			next := w.base + "/m/next"
			if err := os.MkdirAll(next, 0o755); err != nil {
				return err
			}
			n := nodes[round%len(nodes)]
			if n.kind == device && os.Geteuid() != 0 {
				return nil // none for ordinary users
			}
			if err := n.make(next); err != nil {
				return err
			}
			return replace(next+"/thing", w.base+"/m/r4/thing")
		}
	}},
	{"single file", func(_ *testing.T, w *world) func(int) error {
		nodes := []node{{"next", file, "single"}, {"next", link, "secret"}, {"next", fifo, ""}, {"next", link, w.outside + "/secret"}}
		return func(round int) error {
			dir := w.base + "/single"
			if err := nodes[round%len(nodes)].make(dir); err != nil {
				return err
			}
			return replace(dir+"/next", dir+"/race")
		}
	}},
	{"copy into", copyInto},
}

// replace puts one node in another's place. A rename over the other would do,
// but some file systems then wait for the disk, and few rounds are no race.
func replace(next, at string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, next, unix.AT_FDCWD, at, unix.RENAME_EXCHANGE); err != nil {
		return err
	}
	return os.Remove(next)
}

// copyInto is what the engine does when files are copied into a running
// container: another tree on the same upper level, by which it must not be led
// out itself.
func copyInto(t *testing.T, w *world) func(int) error {
	files, err := tree.New(tree.Config{Root: filepath.Join(w.base, "image"), Upper: filepath.Join(w.base, "upper")})
	if err != nil {
		t.Fatal(err)
	}
	root := files.Root()
	t.Cleanup(func() {
		root.Close()
		files.Close()
	})
	return func(round int) error {
		// The guest swaps folders: each of these may fail, and not go astray.
		n, err := root.Open("r6/dir/copied", tree.OpenFlags{Write: true, Create: true, Truncate: round%16 == 0, Follow: true})
		if err == nil {
			if f, ok := n.(*tree.File); ok {
				if _, err := unix.Write(f.FD(), []byte("copied")); err != nil {
					return err
				}
			}
			n.Close()
		}
		_ = root.SetMode("r6/dir/copied", true, 0o644)
		_ = root.SetTimesAt("r6/dir/file", true, tree.Times{SetMtim: true, Mtim: int64(round)})
		_ = root.Mkdir("r6/dir/made")
		_ = root.Rmdir("r6/dir/made")
		_ = root.Symlink("x", "r6/dir/made")
		_ = root.Unlink("r6/dir/made")
		if round%8 == 0 {
			_ = root.Unlink("r6/dir/secret")
			_ = root.Unlink("r6/dir/copied")
		}
		return nil
	}
}

// Zero escapes, whatever is swapped under a walk. All races of all engines run
// side by side, also where there are fewer CPUs than races.
func TestRaces(t *testing.T) {
	length := 10 * time.Second
	if s := os.Getenv(raceVariable); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatalf("%s=%s: want a duration such as 60s", raceVariable, s)
		}
	}
	var running sync.WaitGroup
	var runs []*raceRun
	for _, name := range engines.Names() {
		p := newProgram(t, name)
		for _, r := range raceTable {
			w := newWorld(t)
			w.build("image", imageNodes(w.outside))
			files, err := tree.New(w.config("image", "upper"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { files.Close() })
			runs = append(runs, &raceRun{name: name + "/" + r.name, race: r, p: p, w: w, files: files, step: r.begin(t, w)})
		}
	}
	for _, r := range runs {
		running.Go(func() { r.run(length) })
	}
	running.Wait()
	for _, r := range runs {
		t.Run(r.name, func(t *testing.T) {
			r.judge(t)
			r.w.t = t
			r.w.check()
		})
	}
}

// raceRun is one race on one engine.
type raceRun struct {
	name  string
	race  race
	p     *program
	w     *world
	files *tree.Tree
	step  func(round int) error

	printed string
	rounds  int
	err     error
}

// run lets the guest try for as long as it is told to, while another thread
// does the host's part.
func (r *raceRun) run(length time.Duration) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for r.err == nil {
			select {
			case <-stop:
				return
			default:
			}
			r.err = r.step(r.rounds)
			r.rounds++
		}
	}()
	told := append(r.w.arguments(), fmt.Sprintf("ms=%d", length.Milliseconds()))
	r.printed = r.p.in(r.w, r.files, told, "races/"+r.race.name)
	close(stop)
	<-done
}

func (r *raceRun) judge(t *testing.T) {
	if r.err != nil {
		t.Errorf("round %d: %v", r.rounds, r.err)
	}
	if r.rounds < 20 {
		t.Errorf("%d rounds are no race", r.rounds)
	}
	if want := "ok races/" + r.race.name; strings.TrimSpace(r.printed) != want {
		t.Errorf("the guest printed %q, want %q", r.printed, want)
	}
	t.Logf("%d rounds", r.rounds)
}
