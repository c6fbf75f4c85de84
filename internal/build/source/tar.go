package source

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// archive streams dir as a tar, without what its .dockerignore leaves out, and
// with the extra files. Names are in order, so the same folder gives the same
// bytes up to the files' own times.
func archive(dir, dockerfile string, extra map[string][]byte, log io.Writer) (io.ReadCloser, error) {
	ignored, err := ignore(dir, dockerfile)
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	go func() {
		tw := tar.NewWriter(w)
		err := writeFolder(tw, dir, ignored, extra, log)
		for _, name := range slices.Sorted(maps.Keys(extra)) {
			if err == nil {
				err = writeExtra(tw, name, extra[name])
			}
		}
		if err == nil {
			err = tw.Close()
		}
		w.CloseWithError(err)
	}()
	return r, nil
}

// ignore reads the folder's .dockerignore, or the one that belongs to the
// Dockerfile alone (NAME.dockerignore), which wins. The Dockerfile and
// .dockerignore always go along, as the builder needs them.
func ignore(dir, dockerfile string) (*patternmatcher.PatternMatcher, error) {
	for _, name := range []string{dockerfile + ".dockerignore", ".dockerignore"} {
		f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		patterns, err := ignorefile.ReadAll(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		m, err := patternmatcher.New(append(patterns, "!"+name, "!"+dockerfile))
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", name, err, errdefs.ErrInvalidArgument)
		}
		return m, nil
	}
	return patternmatcher.New(nil)
}

func writeFolder(tw *tar.Writer, dir string, ignored *patternmatcher.PatternMatcher, extra map[string][]byte, log io.Writer) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || rel == "." {
			return err
		}
		out, err := ignored.MatchesOrParentMatches(rel)
		if err != nil {
			return err
		}
		if out && d.IsDir() && !mayHoldExceptions(ignored, rel) {
			return filepath.SkipDir
		}
		if out {
			return nil
		}
		name := filepath.ToSlash(rel)
		if _, replaced := extra[name]; replaced {
			return nil
		}
		return writeEntry(tw, path, name, d, log)
	})
}

// mayHoldExceptions tells whether a "!" pattern could bring back something
// below an ignored folder.
func mayHoldExceptions(m *patternmatcher.PatternMatcher, dir string) bool {
	if !m.Exclusions() {
		return false
	}
	for _, p := range m.Patterns() {
		if !p.Exclusion() {
			continue
		}
		// A pattern with wildcards may match anywhere.
		if strings.ContainsAny(p.String(), "*?[") || strings.HasPrefix(p.String()+string(filepath.Separator), dir+string(filepath.Separator)) {
			return true
		}
	}
	return false
}

func writeEntry(tw *tar.Writer, path, name string, d fs.DirEntry, log io.Writer) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	link := ""
	switch {
	case info.Mode().IsRegular(), info.IsDir():
	case info.Mode()&fs.ModeSymlink != 0:
		if link, err = os.Readlink(path); err != nil {
			return err
		}
	default:
		fmt.Fprintf(log, "%s is left out: it is a %s, and images hold files, folders and links\n", path, kind(info.Mode()))
		return nil
	}
	h, err := tar.FileInfoHeader(info, filepath.ToSlash(link))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	h.Name = name
	if info.IsDir() {
		h.Name += "/"
	}
	h.Uid, h.Gid, h.Uname, h.Gname = 0, 0, "", ""
	if runtime.GOOS == "windows" {
		h.Mode |= 0o755 // it keeps no such bits, and what can't be entered or run is of no use
	}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	// A file that grows while it is read must not spill into the next entry.
	n, err := io.Copy(tw, io.LimitReader(f, h.Size))
	if err == nil && n < h.Size {
		err = fmt.Errorf("%s shrank while it was read", path)
	}
	return err
}

func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}

func writeExtra(tw *tar.Writer, name string, data []byte) error {
	mode := int64(0o644)
	if name == Product {
		mode = 0o755
	}
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(data))}); err != nil {
		return err
	}
	_, err := tw.Write(data)
	return err
}
