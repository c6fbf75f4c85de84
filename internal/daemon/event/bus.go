// Package event keeps the last things that happened and hands them, and what
// happens next, to whoever listens.
//
// It must not know containers or images: an event is a message of Docker's
// form, made elsewhere.
package event

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/moby/moby/api/types/events"
)

// Bus is a ring of events. The zero value is not usable; see [NewBus].
type Bus struct {
	mu   sync.Mutex
	ring []events.Message
	// next is the number of the event that comes next; event n is at
	// ring[n%len(ring)].
	next uint64
	// more is closed and replaced at each event.
	more chan struct{}
	// listeners counts the streams that wait for events now.
	listeners int
}

// NewBus returns a bus that remembers the last size events.
func NewBus(size int) *Bus {
	return &Bus{ring: make([]events.Message, size), more: make(chan struct{})}
}

// Publish adds an event and gives it its time. It never waits for listeners.
func (b *Bus) Publish(m events.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	m.Time, m.TimeNano = now.Unix(), now.UnixNano()
	if m.Scope == "" {
		m.Scope = "local"
	}
	b.ring[b.next%uint64(len(b.ring))] = m
	b.next++
	close(b.more)
	b.more = make(chan struct{})
}

// Listeners is how many streams wait for events now.
func (b *Bus) Listeners() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.listeners
}

// Stream sends the events since a time (zero: from now on) that match, in
// order, until ctx ends, until passes (zero: never) or send fails. When a
// listener reads so slowly that events it did not get were overwritten, Stream
// ends with an error that says how many: a gap nobody sees is worse.
func (b *Bus) Stream(ctx context.Context, since, until time.Time, match func(events.Message) bool, send func(events.Message) error) error {
	if !until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	b.mu.Lock()
	b.listeners++
	at := b.next
	if !since.IsZero() {
		at = b.oldest()
	}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.listeners--
		b.mu.Unlock()
	}()

	for {
		b.mu.Lock()
		lost := b.oldest() - min(at, b.oldest())
		var batch []events.Message
		for ; lost == 0 && at < b.next; at++ {
			batch = append(batch, b.ring[at%uint64(len(b.ring))])
		}
		more := b.more
		b.mu.Unlock()
		if lost > 0 {
			return fmt.Errorf("events came faster than they were read: %d are lost; ask again with since", lost)
		}
		for _, m := range batch {
			t := time.Unix(0, m.TimeNano)
			if t.Before(since) || (!until.IsZero() && t.After(until)) || !match(m) {
				continue
			}
			if err := send(m); err != nil {
				return err
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil
		}
	}
}

// oldest is the number of the oldest event still in the ring.
func (b *Bus) oldest() uint64 {
	return b.next - min(b.next, uint64(len(b.ring)))
}
