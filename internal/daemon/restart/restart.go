// Package restart decides whether an ended container is started again, and
// when. It is arithmetic on what it is told: no clock, no container.
package restart

import (
	"time"

	"github.com/moby/moby/api/types/container"
)

// The pauses before a restart, as Docker has them: the first, the longest, and
// the length of a run after which the pauses begin anew.
const (
	First  = 100 * time.Millisecond
	Max    = time.Minute
	Steady = 10 * time.Second
)

// Backoff is the memory of one container's restarts.
type Backoff struct {
	// Pause is the last pause; zero before the first.
	Pause time.Duration
}

// Exit is an ended run.
type Exit struct {
	Code int
	// Ran is how long the run took.
	Ran time.Duration
	// Stopped tells that someone asked for the end (stop, kill, rm).
	Stopped bool
	// Count is how many restarts the policy made so far.
	Count int
}

// Next tells whether to start again under the policy, and after which pause.
func (b *Backoff) Next(p container.RestartPolicy, e Exit) (time.Duration, bool) {
	if !Wanted(p, e) {
		return 0, false
	}
	switch {
	case b.Pause == 0 || e.Ran >= Steady:
		b.Pause = First
	default:
		b.Pause = min(b.Pause*2, Max)
	}
	return b.Pause, true
}

// Wanted tells whether the policy wants another run after e.
func Wanted(p container.RestartPolicy, e Exit) bool {
	if e.Stopped {
		return false
	}
	switch p.Name {
	case container.RestartPolicyAlways, container.RestartPolicyUnlessStopped:
		return true
	case container.RestartPolicyOnFailure:
		return e.Code != 0 && (p.MaximumRetryCount == 0 || e.Count < p.MaximumRetryCount)
	default:
		return false
	}
}

// AtBoot tells whether a container that is not running is started when the
// engine starts. Stopped says that someone had asked for the end, was that it
// ran when the engine saw it last.
func AtBoot(p container.RestartPolicy, stopped, was bool, code, count int) bool {
	switch p.Name {
	case container.RestartPolicyAlways:
		// Docker's documented difference between always and unless-stopped: a
		// daemon's restart brings back what was stopped by hand.
		return true
	case container.RestartPolicyUnlessStopped:
		return !stopped
	case container.RestartPolicyOnFailure:
		return was && Wanted(p, Exit{Code: code, Stopped: stopped, Count: count})
	default:
		return false
	}
}
