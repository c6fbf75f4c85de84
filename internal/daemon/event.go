//go:build linux

package daemon

import (
	"context"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/events"

	"wherry/internal/daemon/event"
)

// Events sends what happened since a time (zero: from now), then what happens,
// until ctx ends or until passes.
func (d *Daemon) Events(ctx context.Context, since, until time.Time, filters Filters, send func(events.Message) error) error {
	match, err := event.Matcher(filters)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(d.ctx, cancel) // the daemon closes
	defer stop()
	return d.events.Stream(ctx, since, until, match, send)
}

func (d *Daemon) volumeEvent(a events.Action, name string, attributes map[string]string) {
	d.events.Publish(events.Message{
		Type: events.VolumeEventType, Action: a, Actor: events.Actor{ID: name, Attributes: attributes},
	})
}

func (d *Daemon) imageEvent(a events.Action, id, name string) {
	d.events.Publish(events.Message{
		Type: events.ImageEventType, Action: a,
		Actor: events.Actor{ID: id, Attributes: map[string]string{"name": name}},
	})
}

// pruned is the event after a prune.
func pruned(t events.Type, reclaimed uint64) events.Message {
	return events.Message{
		Type: t, Action: events.ActionPrune,
		Actor: events.Actor{Attributes: map[string]string{"reclaimed": strconv.FormatUint(reclaimed, 10)}},
	}
}
