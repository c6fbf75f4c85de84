package cli

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
)

// compilePatience is how long a start may take before anyone wonders.
const compilePatience = 400 * time.Millisecond

// compiling tells why a first start takes long. It watches the API client's
// requests: while one that starts a container is not answered, it asks the
// engine's events whether a module is being compiled, and says so once.
type compiling struct {
	engine *engine

	mu     sync.Mutex
	cancel context.CancelFunc
	done   chan struct{}
}

// startedID is the container that a request starts, "" for other requests.
func startedID(r *http.Request) string {
	rest, found := "", false
	if r.Method == http.MethodPost {
		_, rest, found = strings.Cut(r.URL.Path, "/containers/")
	}
	id, verb, _ := strings.Cut(rest, "/")
	if !found || verb != "start" && verb != "restart" {
		return ""
	}
	return id
}

func (c *compiling) requested(r *http.Request) error {
	id := startedID(r)
	if id == "" {
		return nil
	}
	c.stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	c.cancel, c.done = cancel, make(chan struct{})
	go c.watch(ctx, id, time.Now(), c.done)
	return nil
}

func (c *compiling) answered(r *http.Response) {
	if r.Request != nil && startedID(r.Request) != "" {
		c.stop()
	}
}

// stop ends the watch, if there is one, so that nothing is printed later.
func (c *compiling) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel()
		<-c.done
		c.cancel = nil
	}
}

func (c *compiling) watch(ctx context.Context, id string, since time.Time, done chan<- struct{}) {
	defer close(done)
	select {
	case <-ctx.Done():
		return
	case <-time.After(compilePatience):
	}
	// A second client, because this one's hooks are ours. Its errors say
	// nothing that the start itself won't.
	api, err := client.New(client.WithHost(c.engine.address()), client.WithAPIVersionFromEnv())
	if err != nil {
		return
	}
	defer api.Close()
	filters := client.Filters{}
	filters.Add("type", string(events.ContainerEventType))
	filters.Add("event", "compile")
	filters.Add("container", id)
	res := api.Events(ctx, client.EventsListOptions{
		Since:   fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond()),
		Filters: filters,
	})
	select {
	case m := <-res.Messages:
		fmt.Fprintln(c.engine.stderr, compileLine(m))
	case <-res.Err:
	case <-ctx.Done():
	}
}

// compileLine tells of a compile event, whose attributes are the module's size
// in bytes and the engine.
func compileLine(m events.Message) string {
	line := "wherry: compiling the module"
	if n, err := strconv.ParseInt(m.Actor.Attributes["size"], 10, 64); err == nil {
		line += " (" + humanSize(n) + ")"
	}
	if name := m.Actor.Attributes["engine"]; name != "" && name != "default" {
		line += " for " + name
	}
	return line + "; later starts use the cached code"
}
