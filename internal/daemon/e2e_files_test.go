//go:build linux

package daemon

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/mount"
)

func TestRealFiles(t *testing.T) {
	r := newRig(t)
	id := r.container(&container.HostConfig{Mounts: []mount.Mount{{Type: mount.TypeVolume, Source: "vol", Target: "/v"}}}, args("write", "/new", "made inside"))
	next := waitFor(t, r.Daemon, id, "")
	start(t, r.Daemon, id)
	exited(t, waitFor(t, r.Daemon, id, ""))
	_ = next
	changes, err := r.ContainerChanges(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, c := range changes {
		paths = append(paths, c.Kind.String()+" "+c.Path)
	}
	if !strings.Contains(strings.Join(paths, ","), "A /new") {
		t.Errorf("changes: %v", paths)
	}
	rc, st, err := r.ContainerArchive(t.Context(), id, "/new")
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	tr := tar.NewReader(rc)
	h, err := tr.Next()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(tr)
	if err != nil || h.Name != "new" || string(data) != "made inside" || st.Size != 11 {
		t.Errorf("%s %q %+v %v", h.Name, data, st, err)
	}
	if _, err := r.ContainerStatPath(t.Context(), id, "/../../etc/shadow"); !errdefs.IsNotFound(err) {
		t.Errorf("a path above the root: %v", err)
	}

	var up bytes.Buffer
	tw := tar.NewWriter(&up)
	if err := tw.WriteHeader(&tar.Header{Name: "in/put", Mode: 0o600, Size: 2, ModTime: time.Unix(1, 0)}); err != nil {
		t.Fatal(err)
	}
	if _, err := tw.Write([]byte("hi")); err != nil {
		t.Fatal(err)
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.ContainerExtract(t.Context(), id, "/v", ExtractOptions{}, &up); err != nil {
		t.Fatal(err)
	}
	v, err := r.VolumeInspect(t.Context(), "vol")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(v.Mountpoint, "in", "put")); err != nil || string(b) != "hi" {
		t.Errorf("in the volume: %q %v", b, err)
	}
	if err := r.VolumeRemove(t.Context(), "vol", false); !errdefs.IsConflict(err) {
		t.Errorf("removing a volume in use: %v", err)
	}
	var export bytes.Buffer
	if err := r.ContainerExport(t.Context(), id, &export); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(export.Bytes(), []byte("made inside")) {
		t.Error("the export lacks what the container made")
	}
}

func TestRealFollowAndRotation(t *testing.T) {
	r := newRig(t)
	h := &container.HostConfig{LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "20k", "max-file": "50"}}}
	id := r.container(h, args("lines", "5000"))
	start(t, r.Daemon, id)
	got := r.logs(id, LogsOptions{Stdout: true, Stderr: true, Follow: true, Tail: -1})
	if n := strings.Count(got, "\n"); n != 5000 || !strings.HasPrefix(got, "line 0\n") || !strings.HasSuffix(got, "line 4999\n") {
		t.Errorf("%d lines, want 5000; ends with %q", n, got[max(0, len(got)-30):])
	}
	if got := r.logs(id, LogsOptions{Stdout: true, Tail: 600}); strings.Count(got, "\n") != 600 || !strings.HasPrefix(got, "line 4400\n") {
		t.Errorf("the last 600 lines begin with %q", got[:min(20, len(got))])
	}
}

func TestRealBuildRuns(t *testing.T) {
	r := newRig(t)
	_, guest := programsForTest(t)
	r.image("made", "FROM scratch\nCOPY app.wasm /app.wasm\nCOPY hello /gone\nRUN [\"/app.wasm\",\"write\",\"/made\",\"by RUN\"]\nRUN [\"/app.wasm\",\"remove\",\"/gone\"]\nENTRYPOINT [\"/app.wasm\"]\n",
		map[string]string{"app.wasm": guest})
	res, err := r.ContainerCreate(t.Context(), CreateOptions{Request: container.CreateRequest{Config: &container.Config{Image: "made", Cmd: []string{"read", "/made"}}}})
	if err != nil {
		t.Fatal(err)
	}
	next := waitFor(t, r.Daemon, res.ID, container.WaitConditionNextExit)
	start(t, r.Daemon, res.ID)
	if code := exited(t, next); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := r.logs(res.ID, LogsOptions{Stdout: true, Stderr: true, Tail: -1}); got != "by RUN" {
		t.Errorf("read %q", got)
	}
	if _, err := r.ContainerStatPath(t.Context(), res.ID, "/gone"); !errdefs.IsNotFound(err) {
		t.Errorf("what RUN removed: %v", err)
	}
}

func TestRealImagesInUse(t *testing.T) {
	r := newRig(t)
	id := r.container(nil, args("sleep"))
	if _, err := r.ImageRemove(t.Context(), "app", false, false); !errdefs.IsConflict(err) || !strings.Contains(err.Error(), "must be forced") {
		t.Errorf("removing an image of a stopped container: %v", err)
	}
	start(t, r.Daemon, id)
	if _, err := r.ImageRemove(t.Context(), "app", true, false); !errdefs.IsConflict(err) || !strings.Contains(err.Error(), "cannot be forced") {
		t.Errorf("removing an image of a running container: %v", err)
	}
	if err := r.ContainerRemove(t.Context(), id, RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ImageRemove(t.Context(), "app", false, false); err != nil {
		t.Error(err)
	}
	list, err := r.ImageList(t.Context(), ImageListOptions{})
	if err != nil || len(list) != 0 {
		t.Errorf("left: %v %v", list, err)
	}
}

func TestRealCompileEvent(t *testing.T) {
	r := newRig(t)
	// A cache of its own, so that there is something to compile.
	if err := os.Remove(r.cache()); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(r.cache(), 0o700); err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	id := r.container(nil, args("exit", "0"))
	begun := time.Now()
	start(t, r.Daemon, id)
	took := time.Since(begun)
	var compiles int
	err := r.Events(t.Context(), since, time.Now(), Filters{"event": {"compile"}}, func(e events.Message) error {
		compiles++
		if e.Actor.Attributes["engine"] == "" || e.Actor.Attributes["size"] == "" || e.Actor.Attributes["module"] == "" {
			t.Errorf("attributes %v", e.Actor.Attributes)
		}
		return nil
	})
	if err != nil || (compiles != 1 && took > 2*compileAfter) {
		t.Errorf("%d compile events in a start of %v, want 1: %v", compiles, took, err)
	}
}
