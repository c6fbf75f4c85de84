//go:build linux

package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"

	"wherry/internal/wasi/host/tree"
)

// open makes a tree of an image with a file, a folder and links.
func open(t testing.TB) (root *tree.Dir, upper string) {
	t.Helper()
	image := t.TempDir()
	for _, d := range []string{"etc", "dir/sub"} {
		if err := os.MkdirAll(filepath.Join(image, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(image, "dir", "f"), []byte("text"), 0o640); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"abs": "/dir", "rel": "dir/f", "out": "../../../../etc/passwd"} {
		if err := os.Symlink(target, filepath.Join(image, link)); err != nil {
			t.Fatal(err)
		}
	}
	upper = filepath.Join(t.TempDir(), "upper")
	tr, err := tree.New(tree.Config{Root: image, Upper: upper, NoDevices: true})
	if err != nil {
		t.Fatal(err)
	}
	root = tr.Root()
	t.Cleanup(func() { _, _ = root.Close(), tr.Close() })
	return root, upper
}

func TestStat(t *testing.T) {
	root, _ := open(t)
	for path, want := range map[string]string{
		"/dir/f":        "f -rw-r----- 4 ",
		"dir":           "dir drwxr-xr-x ",
		"/":             "/ drwxr-xr-x ",
		"/abs":          "abs Lrwxrwxrwx /dir",
		"/abs/":         "abs drwxr-xr-x ",
		"/rel":          "rel Lrwxrwxrwx /dir/f",
		"/abs/f":        "f -rw-r----- 4 ",
		"/../../dir/f":  "f -rw-r----- 4 ",
		"/dir/../dir/f": "f -rw-r----- 4 ",
	} {
		st, err := Stat(root, path)
		got := fmt.Sprintf("%s %s %s", st.Name, st.Mode, st.LinkTarget)
		if st.Mode.IsRegular() {
			got = fmt.Sprintf("%s %s %d %s", st.Name, st.Mode, st.Size, st.LinkTarget)
		}
		if err != nil || got != want {
			t.Errorf("%s is %q, want %q: %v", path, got, want, err)
		}
	}
	if _, err := Stat(root, "/none"); !errdefs.IsNotFound(err) || err.Error() != "Could not find the file /none in container" {
		t.Error(err)
	}
	if _, err := Stat(root, "/dir/f/"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a file as a folder: %v", err)
	}
}

// list answers the names in a tar stream, with links' bodies.
func list(t *testing.T, r io.Reader) string {
	t.Helper()
	var names []string
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return strings.Join(names, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Linkname != "" {
			h.Name += "=" + h.Linkname
		}
		names = append(names, h.Name)
	}
}

func TestWrite(t *testing.T) {
	root, _ := open(t)
	for _, tt := range []struct{ path, base, want string }{
		{"/dir", "dir", "dir/ dir/f dir/sub/"},
		{"/dir/.", ".", "./ ./f ./sub/"},
		{"/dir/f", "f", "f"},
		{"/rel", "rel", "rel=dir/f"},
		{"/", "", "abs=/dir dir/ dir/f dir/sub/ etc/ out=../../../../etc/passwd rel=dir/f"},
	} {
		var b bytes.Buffer
		if err := Write(t.Context(), root, tt.path, tt.base, &b); err != nil {
			t.Fatal(err)
		}
		if got := list(t, &b); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.path, got, tt.want)
		}
	}
}

// pack makes a tar of headers; a file's content is its name.
func pack(t testing.TB, headers ...tar.Header) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		if err := tw.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := io.WriteString(tw, h.Name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestExtract(t *testing.T) {
	reg := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name} }
	for name, tt := range map[string]struct {
		at        string
		keepKinds bool
		entries   []tar.Header
		want      string // a path and its content, or the error
	}{
		"a file":                  {"/dir", false, []tar.Header{reg("new")}, "/dir/new new"},
		"folders on the way":      {"/", false, []tar.Header{reg("a/b/c")}, "/a/b/c a/b/c"},
		"an absolute name":        {"/dir", false, []tar.Header{reg("/x")}, "/dir/x /x"},
		"through an image's link": {"/abs", false, []tar.Header{reg("new")}, "/dir/new new"},
		"over a file":             {"/dir", false, []tar.Header{reg("f")}, "/dir/f f"},
		"over a folder":           {"/", false, []tar.Header{reg("dir")}, "/dir dir"},
		"over a folder, not":      {"/", true, []tar.Header{reg("dir")}, `cannot overwrite directory "dir"`},
		"folder over file, not":   {"/dir", true, []tar.Header{{Typeflag: tar.TypeDir, Name: "f/"}}, `cannot overwrite non-directory "f"`},
		"folder over link":        {"/", true, []tar.Header{{Typeflag: tar.TypeDir, Name: "abs/"}, reg("abs/g")}, "/dir/g abs/g"},
		"a climbing name":         {"/dir", false, []tar.Header{reg("../../x")}, "leads out of the destination"},
		"a climbing link":         {"/dir", false, []tar.Header{{Typeflag: tar.TypeLink, Name: "l", Linkname: "../../../etc/passwd"}}, "leads out of the destination"},
		"through its own link":    {"/dir", false, []tar.Header{{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "/../../../../tmp"}, reg("l/x")}, "file exists"},
		"a device":                {"/dir", false, []tar.Header{{Typeflag: tar.TypeChar, Name: "d"}}, "neither file, folder nor link"},
		"not a folder":            {"/dir/f", false, []tar.Header{reg("x")}, "extraction point is not a directory"},
		"nothing there":           {"/none", false, []tar.Header{reg("x")}, "Could not find the file /none"},
	} {
		t.Run(name, func(t *testing.T) {
			root, _ := open(t)
			err := Extract(t.Context(), root, tt.at, tt.keepKinds, pack(t, tt.entries...))
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("answers %v, want %q", err, tt.want)
				}
				return
			}
			path, content, _ := strings.Cut(tt.want, " ")
			var b bytes.Buffer
			if err := Write(t.Context(), root, path, "x", &b); err != nil {
				t.Fatalf("%v, want %q", err, tt.want)
			}
			tr := tar.NewReader(&b)
			if _, err := tr.Next(); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(tr); err != nil || string(got) != content {
				t.Errorf("%s holds %q, want %q: %v", path, got, content, err)
			}
		})
	}
}
