package runnertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner"
)

// Run runs d in virtual time until it is over, and returns what happened. That
// the run did not complete is no failure of the test, which asks for that with
// [Result.RequireCompleted]; that it is stuck is one.
//
// Run cannot be used within [testing/synctest.Test]. See [RunInBubble].
func Run(t *testing.T, d *dag.DAG, c Config) *Result {
	t.Helper()
	var res *Result
	synctest.Test(t, func(t *testing.T) { res = RunInBubble(t, d, c) })
	return res
}

// RunInBubble is Run for a test that is in a bubble already, for example because
// its pipeline works with channels or with the time of day. Called outside of
// any bubble it runs d in real time.
func RunInBubble(tb testing.TB, d *dag.DAG, c Config) *Result {
	tb.Helper()
	if !c.Start.IsZero() {
		<-time.After(time.Until(c.Start))
	}
	start := time.Now()
	rec := &recorder{start: start}
	ctx, cancel := context.WithCancelCause(tb.Context())
	defer cancel(nil)
	h, err := c.runner(d, rec).Start(ctx, d)
	if err != nil {
		return &Result{Report: &runner.Report{}, Err: err}
	}
	var stuck string
	timeout := c.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	timer := time.AfterFunc(timeout, func() {
		stuck = unfinished(h.Snapshot())
		cancel(errStuck)
	})
	defer timer.Stop()
	if c.Meanwhile != nil {
		c.Meanwhile(h)
	}
	report, err := h.Wait(context.WithoutCancel(ctx)) // ends soon after ctx
	if stuck != "" {
		tb.Fatalf("runnertest: the run is stuck, not over after %s of virtual time: %s",
			timeout, stuck)
	}
	return &Result{
		Report: report, Err: err, Elapsed: time.Since(start), Attempts: rec.all(),
	}
}

var errStuck = errors.New("runnertest: the run is stuck")

// maxNamed bounds how many instances a failure names.
const maxNamed = 10

// unfinished names what is not over.
func unfinished(report *runner.Report) string {
	open := []runner.State{runner.Waiting, runner.Queued, runner.Running}
	var names []string
	for t := range report.Tasks() {
		if !slices.Contains(open, t.State) {
			continue
		}
		if len(names) == maxNamed {
			names = append(names, "and more")
			break
		}
		names = append(names, fmt.Sprintf("%s is %s", t.Name, t.State))
	}
	return strings.Join(names, ", ")
}
