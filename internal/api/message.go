package api

import "strings"

// messageOf is an error's text for people: without the class that the HTTP
// status already tells.
func messageOf(err error) string {
	text := err.Error()
	for _, c := range classes {
		if short, ok := strings.CutSuffix(text, ": "+c.Error()); ok && short != "" {
			return short
		}
	}
	return text
}
