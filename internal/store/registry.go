package store

import "net/http"

// transportHook lets tests redirect connections.
type transportHook func(*http.Transport)
