package progress

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/daggy-go/daggy/runner"
)

// A frame is what there is to show at one moment.
type frame struct {
	counts
	over     bool
	outcome  string // of the runs, when they are over
	elapsed  time.Duration
	rate     float64       // instances a second; 0: unknown
	left     time.Duration // 0: unknown
	longest  []string      // running attempts
	more     int           // running ones that are not listed
	failures []trouble
}

// trouble is a failure in words.
type trouble struct {
	text  string
	final bool
}

// frame looks at a round, to list so many running attempts and failures.
func (d *Display) frame(r *round, running, failed int) *frame {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	f := &frame{counts: r.past, over: !r.end.IsZero()}
	for _, h := range r.active {
		f.add(countsOf(h))
	}
	if f.over {
		now = r.end
		f.outcome = outcome(r.outcomes)
		f.rate = r.pace.overall(now, f.ended())
	} else {
		f.rate = r.pace.rate(now, f.ended())
		f.left = timeLeft(f.waiting+f.running, f.rate)
	}
	f.elapsed = now.Sub(r.start)
	for _, a := range r.running.longest(running) {
		f.longest = append(f.longest, a.describe(now))
	}
	if !f.over && running > 0 {
		f.more = max(0, f.running-len(f.longest))
	}
	for _, e := range r.failures.newest(failed, f.over) {
		f.failures = append(f.failures, trouble{e.describe(now), e.again.IsZero()})
	}
	return f
}

// describe says first what a line that is clipped must not lose.
func (a *attempt) describe(now time.Time) string {
	s := duration(now.Sub(a.since)) + "  " + name(a.instance)
	if a.number > 1 {
		s += fmt.Sprintf("  attempt %d", a.number)
	}
	return s
}

func timeLeft(instances int, rate float64) time.Duration {
	if rate <= 0 {
		return 0
	}
	seconds := float64(instances) / rate
	if seconds > (math.MaxInt64 / float64(time.Second)) {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

// outcome says how one run ended, or how many ended how.
func outcome(states map[runner.RunState]int) string {
	runs := 0
	var parts []string
	var only string
	for _, s := range [...]struct {
		state runner.RunState
		text  string
	}{
		{runner.RunCompleted, "completed"},
		{runner.RunFailed, "failed"},
		{runner.RunKilled, "killed"},
		{runner.RunInterrupted, "interrupted"},
		{runner.RunRunning, "still running"}, // the Display was closed
	} {
		if n := states[s.state]; n > 0 {
			runs += n
			only = s.text
			parts = append(parts, fmt.Sprintf("%d %s", n, s.text))
		}
	}
	if runs == 1 {
		return "run " + only
	}
	return fmt.Sprintf("%d runs: %s", runs, strings.Join(parts, ", "))
}

func (f *frame) percent() int {
	switch total := f.total(); {
	case f.ended() < total:
		return int(float64(f.ended()) / float64(total) * 100)
	case total == 0 && !f.over:
		return 0
	}
	return 100
}

// states lists the numbers that are not zero.
func (f *frame) states() string {
	var parts []string
	for _, s := range [...]struct {
		n    int
		name string
	}{
		{f.completed, "completed"},
		{f.running, "running"},
		{f.waiting, "waiting"},
		{f.failed, "failed"},
		{f.killed, "killed"},
		{f.skipped, "skipped"},
	} {
		if s.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", s.n, s.name))
		}
	}
	if parts == nil {
		return "no tasks"
	}
	return strings.Join(parts, ", ")
}

// pace says how fast it goes and for how long.
func (f *frame) pace() []string {
	var parts []string
	if f.rate > 0 {
		parts = append(parts, perSecond(f.rate))
	}
	if f.left > 0 {
		parts = append(parts, "ETA "+duration(f.left))
	}
	return parts
}
