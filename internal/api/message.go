package api

import (
	"errors"
	"strings"
)

// messageOf is an error's text for people: without the class that the HTTP
// status already tells.
func messageOf(err error) string {
	text := err.Error()
	for _, c := range classes {
		if short, ok := strings.CutSuffix(text, ": "+c.Error()); ok && short != "" && errors.Is(err, c) {
			return short
		}
	}
	return text
}
