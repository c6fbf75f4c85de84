package filter

import (
	"testing"
	"time"

	"github.com/containerd/errdefs"
)

func TestLabels(t *testing.T) {
	labels := map[string]string{"a": "1", "b": ""}
	for _, tt := range []struct {
		wanted []string
		all    bool
		none   bool
	}{
		{nil, true, true},
		{[]string{"a"}, true, false},
		{[]string{"a=1", "b"}, true, false},
		{[]string{"a=2"}, false, true},
		{[]string{"a", "c"}, false, false},
		{[]string{"c"}, false, true},
		{[]string{"b="}, true, false},
	} {
		if got := Labels(tt.wanted, labels); got != tt.all {
			t.Errorf("labels %v: %v", tt.wanted, got)
		}
		if got := NoLabels(tt.wanted, labels); got != tt.none {
			t.Errorf("no labels %v: %v", tt.wanted, got)
		}
	}
}

func TestUntil(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Time{
		"1h30m":                now.Add(-90 * time.Minute),
		"1000":                 time.Unix(1000, 0),
		"2026-04-01T10:00:00Z": time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC),
		"2026-04-01":           time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := Until(map[string][]string{"until": {value}}, now); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, want %v: %v", value, got, want, err)
		}
	}
	for _, bad := range [][]string{{"yesterday"}, {"1h", "2h"}} {
		if _, err := Until(map[string][]string{"until": bad}, now); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestBoolAndCheck(t *testing.T) {
	if b, err := Bool(map[string][]string{"all": {"1"}}, "all", false); !b || err != nil {
		t.Errorf("%v %v", b, err)
	}
	if b, err := Bool(nil, "all", true); !b || err != nil {
		t.Errorf("%v %v", b, err)
	}
	if _, err := Bool(map[string][]string{"all": {"maybe"}}, "all", false); !errdefs.IsInvalidArgument(err) {
		t.Error(err)
	}
	if err := Check(map[string][]string{"x": nil}, "y"); !errdefs.IsInvalidArgument(err) || err.Error() != "invalid filter 'x': known are y" {
		t.Error(err)
	}
}
