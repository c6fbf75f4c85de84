package api

import (
	"fmt"
	"net/http"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/plugin"
)

// notBuilt is a call, or an option of one, that Docker has and Wherry doesn't.
func notBuilt(what string) error {
	return fmt.Errorf("%s is not built in Wherry: %w", what, errdefs.ErrNotImplemented)
}

// unbuilt answers 501 with one sentence.
func unbuilt(sentence string) handler {
	return func(http.ResponseWriter, *http.Request, vars) error {
		return fmt.Errorf("%s: %w", sentence, errdefs.ErrNotImplemented)
	}
}

// unbuiltRoutes are the parts of the API that nothing stands behind, so that a
// client hears why instead of a missing page.
func unbuiltRoutes() []route {
	swarm := unbuilt("swarm is not built; Wherry is an engine for one machine")
	plugins := unbuilt("engine plugins are not built")
	buildkit := unbuilt("BuildKit is not built; build with DOCKER_BUILDKIT=0 or wherry build")
	routes := []route{
		{"POST", "/commit", unbuilt("commit is not built; make images with wherry build")},
		{"*", "/containers/{id}/attach/ws", unbuilt("attach over websockets is not built; use POST attach")},
		{"*", "/containers/{id}/checkpoints", unbuilt("checkpoints are not built")},
		{"*", "/containers/{id}/checkpoints/{name}", unbuilt("checkpoints are not built")},
		{"*", "/distribution/{name...}/json", unbuilt("asking a registry for a digest is not built; pull the image")},
		{"*", "/images/{name...}/attestations", unbuilt("attestations are not built")},
		{"POST", "/session", buildkit},
		{"POST", "/grpc", buildkit},
		{"GET", "/plugins", noPlugins},
		{"GET", "/plugins/{name...}/json", noPlugin},
		{"*", "/plugins/{rest...}", plugins},
	}
	for _, noun := range []string{"swarm", "nodes", "services", "tasks", "secrets", "configs"} {
		routes = append(routes, route{"*", "/" + noun, swarm}, route{"*", "/" + noun + "/{rest...}", swarm})
	}
	return routes
}

// noPlugins lists the plugins there are. Asking for them is no mistake: docker
// inspect looks here for what it finds nowhere else.
func noPlugins(w http.ResponseWriter, _ *http.Request, _ vars) error {
	return writeJSON(w, http.StatusOK, []plugin.Plugin{})
}

func noPlugin(_ http.ResponseWriter, _ *http.Request, v vars) error {
	return fmt.Errorf("plugin %q not found: %w", v["name"], errdefs.ErrNotFound)
}
