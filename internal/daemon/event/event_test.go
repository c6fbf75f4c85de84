package event

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/events"
)

func message(t events.Type, action, id string, attributes ...string) events.Message {
	m := events.Message{Type: t, Action: events.Action(action), Scope: "local", Actor: events.Actor{ID: id, Attributes: map[string]string{}}}
	for i := 0; i < len(attributes); i += 2 {
		m.Actor.Attributes[attributes[i]] = attributes[i+1]
	}
	return m
}

func TestMatcher(t *testing.T) {
	die := message("container", "die", "abcdef", "name", "web", "image", "app:latest", "tier", "front")
	pull := message("image", "pull", "app:latest", "name", "app:latest")
	for _, tt := range []struct {
		f    map[string][]string
		m    events.Message
		want bool
	}{
		{nil, die, true},
		{map[string][]string{"container": {"web"}}, die, true},
		{map[string][]string{"container": {"/web"}}, die, true},
		{map[string][]string{"container": {"abc"}}, die, true},
		{map[string][]string{"container": {"other", "web"}}, die, true},
		{map[string][]string{"container": {"other"}}, die, false},
		{map[string][]string{"container": {"web"}}, pull, false},
		{map[string][]string{"event": {"die", "start"}}, die, true},
		{map[string][]string{"event": {"start"}}, die, false},
		{map[string][]string{"event": {"health_status"}}, message("container", "health_status: healthy", "x"), true},
		{map[string][]string{"type": {"container"}, "event": {"die"}}, die, true},
		{map[string][]string{"type": {"image"}, "event": {"die"}}, die, false},
		{map[string][]string{"image": {"app"}}, die, true},
		{map[string][]string{"image": {"app:latest"}}, pull, true},
		{map[string][]string{"image": {"ap"}}, die, false},
		{map[string][]string{"label": {"tier"}}, die, true},
		{map[string][]string{"label": {"tier=front"}}, die, true},
		{map[string][]string{"label": {"tier=front", "absent"}}, die, false},
		{map[string][]string{"scope": {"swarm"}}, die, false},
	} {
		match, err := Matcher(tt.f)
		if err != nil {
			t.Fatal(err)
		}
		if got := match(tt.m); got != tt.want {
			t.Errorf("%v of %s: %v, want %v", tt.f, tt.m.Action, got, tt.want)
		}
	}
	if _, err := Matcher(map[string][]string{"colour": {"red"}}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("an unknown filter: %v", err)
	}
}

func any(events.Message) bool { return true }

func TestStream(t *testing.T) {
	b := NewBus(4)
	for n := range 6 {
		b.Publish(message("container", fmt.Sprint(n), "x"))
	}
	var got []string
	collect := func(m events.Message) error { got = append(got, string(m.Action)); return nil }
	if err := b.Stream(t.Context(), time.Unix(1, 0), time.Now(), any, collect); err != nil {
		t.Fatal(err)
	}
	if s := strings.Join(got, " "); s != "2 3 4 5" {
		t.Errorf("the past is %q, want the last four", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	got = nil
	err := b.Stream(ctx, time.Unix(1, 0), time.Time{}, any, func(m events.Message) error {
		if m.Action == "5" {
			b.Publish(message("container", "now", "x"))
		}
		if m.Action == "now" {
			cancel()
		}
		return collect(m)
	})
	if err != nil || strings.Join(got, " ") != "2 3 4 5 now" {
		t.Errorf("%v: %v", got, err)
	}
}

func TestSlowListenerIsTold(t *testing.T) {
	b := NewBus(2)
	b.Publish(message("container", "first", "x"))
	err := b.Stream(t.Context(), time.Unix(1, 0), time.Time{}, any, func(events.Message) error {
		for range 5 {
			b.Publish(message("container", "more", "x"))
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "3 are lost") {
		t.Errorf("%v, want to hear of 3 lost events", err)
	}
}
