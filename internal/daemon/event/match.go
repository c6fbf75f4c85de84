package event

import (
	"slices"
	"strings"

	"github.com/moby/moby/api/types/events"

	"wherry/internal/daemon/filter"
)

// Matcher turns an events call's filters into a test of one event. Several
// values of one key are alternatives, except labels, which must all hold;
// several keys must all hold. An unknown key is errdefs.ErrInvalidArgument.
func Matcher(f map[string][]string) (func(events.Message) bool, error) {
	err := filter.Check(f, "config", "container", "daemon", "event", "image", "label", "network",
		"node", "plugin", "scope", "secret", "service", "type", "volume")
	if err != nil {
		return nil, err
	}
	return func(m events.Message) bool {
		for key, values := range f {
			if len(values) > 0 && !matches(key, values, m) {
				return false
			}
		}
		return true
	}, nil
}

func matches(key string, values []string, m events.Message) bool {
	switch key {
	case "event":
		// health_status matches "health_status: healthy" and the like.
		return slices.ContainsFunc(values, func(v string) bool {
			base, _, _ := strings.Cut(string(m.Action), ":")
			return v == string(m.Action) || v == base
		})
	case "type":
		return slices.Contains(values, string(m.Type))
	case "scope":
		return slices.Contains(values, m.Scope)
	case "label":
		return filter.Labels(values, m.Actor.Attributes)
	case "image":
		return named(values, m, events.ImageEventType) || slices.ContainsFunc(values, func(v string) bool {
			return sameImage(v, m.Actor.Attributes["image"])
		})
	default:
		return named(values, m, events.Type(key))
	}
}

// named tells whether the event is of type t and of a thing with one of the
// values as its ID, the beginning of its ID, or its name.
func named(values []string, m events.Message, t events.Type) bool {
	if m.Type != t {
		return false
	}
	return slices.ContainsFunc(values, func(v string) bool {
		if v == "" {
			return false
		}
		name := m.Actor.Attributes["name"]
		return strings.HasPrefix(m.Actor.ID, v) || v == name || strings.TrimPrefix(v, "/") == name ||
			(t == events.ImageEventType && sameImage(v, name))
	})
}

// sameImage tells whether the filter's value names the image, with or without
// the tag.
func sameImage(v, image string) bool {
	if v == image {
		return image != ""
	}
	i := strings.LastIndexByte(image, ':')
	return i > strings.LastIndexByte(image, '/') && image[:i] == v
}
