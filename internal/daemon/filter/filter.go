// Package filter holds the tests that the list, prune and events calls share.
//
// It must not know what is filtered.
package filter

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"wherry/internal/daemon/fault"
)

// Check answers errdefs.ErrInvalidArgument where f has a key that is not known.
func Check(f map[string][]string, known ...string) error {
	for _, key := range slices.Sorted(maps.Keys(f)) {
		if !slices.Contains(known, key) {
			return fault.Invalid("invalid filter '%s': known are %s", key, strings.Join(known, ", "))
		}
	}
	return nil
}

// Labels tells whether labels have every one of the wanted "key" or "key=value".
func Labels(wanted []string, labels map[string]string) bool {
	for _, w := range wanted {
		key, value, hasValue := strings.Cut(w, "=")
		got, ok := labels[key]
		if !ok || (hasValue && got != value) {
			return false
		}
	}
	return true
}

// NoLabels tells whether labels have none of the unwanted (filter "label!").
func NoLabels(unwanted []string, labels map[string]string) bool {
	for _, u := range unwanted {
		if Labels([]string{u}, labels) {
			return false
		}
	}
	return true
}

// Bool reads a filter of one truth value; an absent key gives otherwise.
func Bool(f map[string][]string, key string, otherwise bool) (bool, error) {
	values := f[key]
	if len(values) == 0 {
		return otherwise, nil
	}
	b, err := strconv.ParseBool(values[0])
	if err != nil || len(values) > 1 {
		return false, fault.Invalid("invalid filter '%s=%s': want true or false", key, strings.Join(values, ","))
	}
	return b, nil
}

// Until reads the filter "until": a time (RFC 3339, or seconds since 1970) or
// how long ago (1h30m). An absent key gives the zero time.
func Until(f map[string][]string, now time.Time) (time.Time, error) {
	values := f["until"]
	if len(values) == 0 {
		return time.Time{}, nil
	}
	if len(values) > 1 {
		return time.Time{}, fault.Invalid("more than one until filter specified")
	}
	v := values[0]
	if d, err := time.ParseDuration(v); err == nil {
		return now.Add(-d), nil
	}
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		return time.Unix(0, int64(s*float64(time.Second))), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, v, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fault.Invalid("invalid filter 'until=%s': want a time such as 2026-01-02T15:04:05 or an age such as 1h30m", v)
}
