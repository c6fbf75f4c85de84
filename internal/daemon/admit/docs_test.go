package admit

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Whoever meets a warning or a refusal finds the option in the documents.
func TestOptionsAreDocumented(t *testing.T) {
	b, err := os.ReadFile("../../../docs/options.md")
	if err != nil {
		t.Fatal(err)
	}
	option := regexp.MustCompile(`--[a-z-]+`)
	for _, table := range [][]rule{hostRules, resourceRules} {
		for _, r := range table {
			name := r.option
			if name == "" && r.set != nil {
				name = option.FindString(r.why)
			}
			if name != "" && !strings.Contains(string(b), "`"+name) {
				t.Errorf("docs/options.md does not tell of %s", name)
			}
		}
	}
}
