package name

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

func TestIDs(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{64}$`)
	for range 100 {
		if id := NewID(); !form.MatchString(id) || !strings.ContainsAny(id[:12], "abcdef") {
			t.Errorf("%q is no ID", id)
		}
	}
}

func TestRegistry(t *testing.T) {
	var r Registry
	a, b := "aa11"+strings.Repeat("0", 60), "aa22"+strings.Repeat("0", 60)
	if err := r.Reserve("web", a); err != nil {
		t.Fatal(err)
	}
	err := r.Reserve("web", b)
	want := `Conflict. The container name "/web" is already in use by container "` + a + `". You have to remove (or rename) that container to be able to reuse that name.`
	if !errdefs.IsConflict(err) || err.Error() != want {
		t.Errorf("a taken name: %v", err)
	}
	generated := r.Generate(b)
	for _, bad := range []string{"", "x", "-x", "a b", "a/b", strings.Repeat("é", 2)} {
		if err := r.Reserve(bad, "c"); !errdefs.IsInvalidArgument(err) {
			t.Errorf("the name %q: %v", bad, err)
		}
	}
	for ref, want := range map[string]string{a: a, "web": a, "/web": a, "aa1": a, "aa22": b, generated: b} {
		if got, err := r.Find(ref); got != want || err != nil {
			t.Errorf("%q is %q, want %q: %v", ref, got, want, err)
		}
	}
	if _, err := r.Find("aa"); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "Multiple IDs found with provided prefix: aa") {
		t.Errorf("an ambiguous prefix: %v", err)
	}
	if _, err := r.Find("none"); !errdefs.IsNotFound(err) || err.Error() != "No such container: none" {
		t.Errorf("an unknown name: %v", err)
	}
	if err := r.Rename(b, "web"); !errdefs.IsConflict(err) {
		t.Errorf("renaming to a taken name: %v", err)
	}
	if err := r.Rename(a, "site"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Find("web"); !errdefs.IsNotFound(err) {
		t.Errorf("the old name: %v", err)
	}
	r.Release(a)
	if err := r.Reserve("site", b); err != nil {
		t.Errorf("a released name: %v", err)
	}
}

func TestGeneratedNames(t *testing.T) {
	var r Registry
	for n := range 200 {
		if name := r.Generate(string(rune('a' + n))); !regexp.MustCompile(`^[a-z]+_[a-z]+[0-9]*$`).MatchString(name) {
			t.Errorf("%q is no generated name", name)
		}
	}
	for _, words := range [][]string{adjectives, surnames} {
		sorted := slices.Compact(slices.Sorted(slices.Values(words)))
		if len(sorted) != len(words) {
			t.Errorf("a word is there twice: %d of %d", len(sorted), len(words))
		}
	}
}
