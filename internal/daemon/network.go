package daemon

import "strings"

// NetworkID is the ID of a network that exists without being made: bridge,
// host or none. The IDs are fixed, because clients such as compose remember
// them; another name has none.
func NetworkID(name string) string {
	switch name {
	case "bridge":
		return strings.Repeat("b", 64)
	case "host":
		return strings.Repeat("a", 64)
	case "none":
		return strings.Repeat("0", 64)
	}
	return ""
}
