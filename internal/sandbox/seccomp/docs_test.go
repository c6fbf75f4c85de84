//go:build linux && amd64

package seccomp

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/syscalls.md anew")

// TestDocs holds docs/syscalls.md to the tables.
func TestDocs(t *testing.T) {
	const path = "../../../docs/syscalls.md"
	want := document(t)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the tables say; go test ./internal/sandbox/seccomp -run Docs -update writes it", path)
	}
}

// SECURITY.md lists the calls by name.
func TestDocsOfSecurity(t *testing.T) {
	text, err := os.ReadFile("../../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	kind, err := full.kind()
	if err != nil {
		t.Fatal(err)
	}
	words := strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune(" ,.\n", r) })
	total := 0
	for _, c := range calls {
		if c.in&kind == 0 {
			continue
		}
		total++
		if !slices.Contains(words, c.name) {
			t.Errorf("SECURITY.md does not list %s", c.name)
		}
	}
	if !strings.Contains(string(text), fmt.Sprintf("The %d are", total)) {
		t.Errorf("SECURITY.md gives another number than %d", total)
	}
}

func document(t *testing.T) string {
	var b strings.Builder
	total := 0
	kind, err := full.kind()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range calls {
		if c.in&kind != 0 {
			total++
		}
	}
	fmt.Fprintf(&b, `# System calls of a container

What the process of a container may ask of the kernel while its guest runs, on
amd64, arm64 and riscv64 alike. This file is made from the tables of
`+"`internal/sandbox/seccomp`"+`, which a seccomp filter on every thread holds.

%d calls pass. Those for sockets pass where the container has a network, and
`+"`connect`"+` where its guest may begin connections; elsewhere they answer EACCES.
A limit that does not hold is answered with its error. What is in no list
answers ENOSYS; so does `+"`clone3`"+`, since a filter can't see its flags. Calls of
another architecture (32-bit, x32) end the process.

A filter sees no memory: neither paths nor socket addresses. That a path begins
at an open folder does not keep it from being absolute. Where paths lead is the
jail's affair, and landlock's; where connections lead, the WASI host's.

| call | what for | limits |
|---|---|---|
`, total)
	row := func(c *call, kind set) {
		var limits []string
		for _, l := range c.limits {
			if l.words != "" && (l.only == 0 || l.only&kind != 0) {
				limits = append(limits, fmt.Sprintf("%s (%s)", l.words, errnoName(l.errno)))
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.name, c.why, strings.Join(unique(limits), "; "))
	}
	for i := range calls {
		if calls[i].in&kind != 0 {
			row(&calls[i], kind|loose)
		}
	}
	b.WriteString("\nWhere a container has no jail (an ordinary user whose kernel refuses user\nnamespaces), these do not pass, since they change files by path and landlock\ndoes not cover them:")
	for _, c := range calls {
		if c.in&jailed != 0 {
			b.WriteString(" " + c.name)
		}
	}
	b.WriteString(".\n\n## What ends the process\n\nNo part of a container's process makes these calls.\n\n")
	for _, group := range deadly {
		fmt.Fprintf(&b, "- %s: %s\n", group.what, names(group.calls))
	}
	fmt.Fprintf(&b, "- On amd64 besides: %s\n", names(moreDeadly))
	b.WriteString("- prctl, where it would change what the process may do or who may look into it; its other options answer EINVAL\n")
	b.WriteString("\n## What answers EPERM\n\n")
	var list []named
	for _, r := range refused {
		list = append(list, r.named)
	}
	b.WriteString(names(list) + "\n")
	b.WriteString(`
## The compiler

A module is compiled in a process of its own. It has the module and the file for
the code open, and no path and no socket. It may make executable memory. These
pass there, and nothing else:

`)
	list = nil
	for _, c := range calls {
		if c.in&compiler != 0 {
			list = append(list, named{c.name, c.nr})
		}
	}
	b.WriteString(names(list) + "\n")
	return wrap(b.String())
}

func names(list []named) string {
	var s []string
	for _, c := range list {
		s = append(s, c.name)
	}
	return strings.Join(s, ", ")
}

func errnoName(e error) string {
	return map[string]string{"operation not permitted": "EPERM", "permission denied": "EACCES"}[e.Error()]
}

func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if len(out) == 0 || out[len(out)-1] != s {
			out = append(out, s)
		}
	}
	return out
}

// wrap breaks lists at 80 columns; tables stay.
func wrap(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		indent := ""
		if strings.HasPrefix(line, "- ") {
			indent = "  "
		}
		for len(line) > 80 && !strings.HasPrefix(line, "|") {
			at := strings.LastIndex(line[:81], " ")
			b.WriteString(line[:at] + "\n")
			line = indent + line[at+1:]
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
