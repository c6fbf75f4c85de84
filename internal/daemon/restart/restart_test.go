package restart

import (
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
)

func policy(name container.RestartPolicyMode, max int) container.RestartPolicy {
	return container.RestartPolicy{Name: name, MaximumRetryCount: max}
}

func TestWanted(t *testing.T) {
	for _, tt := range []struct {
		p    container.RestartPolicy
		e    Exit
		want bool
	}{
		{policy("", 0), Exit{Code: 1}, false},
		{policy("no", 0), Exit{Code: 1}, false},
		{policy("always", 0), Exit{}, true},
		{policy("always", 0), Exit{Stopped: true}, false},
		{policy("unless-stopped", 0), Exit{Code: 143}, true},
		{policy("unless-stopped", 0), Exit{Code: 143, Stopped: true}, false},
		{policy("on-failure", 0), Exit{}, false},
		{policy("on-failure", 0), Exit{Code: 1, Count: 1000}, true},
		{policy("on-failure", 3), Exit{Code: 1, Count: 2}, true},
		{policy("on-failure", 3), Exit{Code: 1, Count: 3}, false},
		{policy("on-failure", 3), Exit{Code: 1, Stopped: true}, false},
	} {
		if got := Wanted(tt.p, tt.e); got != tt.want {
			t.Errorf("%v after %+v: %v, want %v", tt.p, tt.e, got, tt.want)
		}
	}
}

func TestPauses(t *testing.T) {
	var b Backoff
	for i, want := range []time.Duration{
		100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond,
		3200 * time.Millisecond, 6400 * time.Millisecond, 12800 * time.Millisecond, 25600 * time.Millisecond, 51200 * time.Millisecond,
		time.Minute, time.Minute,
	} {
		if got, again := b.Next(policy("always", 0), Exit{Ran: time.Second}); got != want || !again {
			t.Errorf("pause %d is %v, want %v", i, got, want)
		}
	}
	if got, _ := b.Next(policy("always", 0), Exit{Ran: Steady}); got != First {
		t.Errorf("after a steady run the pause is %v, want %v", got, First)
	}
}

func TestAtBoot(t *testing.T) {
	for _, tt := range []struct {
		name    container.RestartPolicyMode
		stopped bool
		was     bool
		code    int
		want    bool
	}{
		{"no", false, true, 137, false},
		{"always", true, false, 143, true},
		{"always", false, false, 0, true},
		{"unless-stopped", true, false, 143, false},
		{"unless-stopped", false, true, 137, true},
		{"unless-stopped", false, false, 0, true},
		{"on-failure", false, true, 137, true},
		{"on-failure", false, true, 0, false},
		{"on-failure", false, false, 1, false},
	} {
		if got := AtBoot(policy(tt.name, 0), tt.stopped, tt.was, tt.code, 0); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
