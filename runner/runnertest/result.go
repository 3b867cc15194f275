package runnertest

import (
	"slices"
	"testing"
	"time"

	"github.com/daggy-go/daggy/runner"
)

// A Result is what happened in a run. Its methods whose name begins with Require
// end the test if something is not so.
type Result struct {
	// Report is the run's, never nil.
	Report *runner.Report
	// Err is what [runner.Runner.Run] returns: nil if the run completed, and the
	// definition's problems if nothing was started.
	Err error
	// Elapsed is how much virtual time the run took.
	Elapsed time.Duration
	// Attempts has what was handed to executors, in that order. A task without a
	// command is not among it: nobody has to run it.
	Attempts []*Attempt
}

// Order returns the instances in the order in which their first attempts were
// started. Where dependencies leave it open, it differs from run to run.
func (r *Result) Order() []string {
	var names []string
	seen := map[string]bool{}
	for _, a := range r.Attempts {
		if !seen[a.Instance] {
			seen[a.Instance] = true
			names = append(names, a.Instance)
		}
	}
	return names
}

// AttemptsOf returns the attempts of an instance or, in the order of their
// starts, of all instances of a task.
func (r *Result) AttemptsOf(name string) []*Attempt {
	var list []*Attempt
	for _, a := range r.Attempts {
		if a.Instance == name || a.Task == name {
			list = append(list, a)
		}
	}
	return list
}

// Task returns the report of an instance, or of a task that was not multiplied.
// If there is none the test ends.
func (r *Result) Task(tb testing.TB, name string) runner.TaskReport {
	tb.Helper()
	t, ok := r.Report.Task(name)
	if !ok {
		tb.Fatalf("runnertest: there is no instance %q%s", name, r.because())
	}
	return t
}

// Stdout returns the standard output of the last attempt of an instance. If a
// part was dropped the test ends.
func (r *Result) Stdout(tb testing.TB, name string) string {
	tb.Helper()
	data, dropped := r.Task(tb, name).Stdout()
	return whole(tb, name, data, dropped)
}

// Stderr is the same for standard error.
func (r *Result) Stderr(tb testing.TB, name string) string {
	tb.Helper()
	data, dropped := r.Task(tb, name).Stderr()
	return whole(tb, name, data, dropped)
}

func whole(tb testing.TB, name string, data []byte, dropped int64) string {
	tb.Helper()
	if dropped > 0 {
		tb.Fatalf("runnertest: %d bytes of the output of %q were dropped; raise Runner.Output",
			dropped, name)
	}
	return string(data)
}

// RequireCompleted ends the test unless everything completed.
func (r *Result) RequireCompleted(tb testing.TB) {
	tb.Helper()
	if r.Err != nil {
		tb.Fatalf("runnertest: the run did not complete: %v", r.Err)
	}
}

// RequireState ends the test unless an instance, or every instance of a task,
// is in this state.
func (r *Result) RequireState(tb testing.TB, name string, want runner.State) {
	tb.Helper()
	for _, t := range r.reports(tb, name) {
		if t.State != want {
			tb.Fatalf("runnertest: %q is %s, not %s%s", t.Name, t.State, want, r.because())
		}
	}
}

// RequireAttempts ends the test unless an instance, or every instance of a task,
// had this many attempts.
func (r *Result) RequireAttempts(tb testing.TB, name string, want int) {
	tb.Helper()
	for _, t := range r.reports(tb, name) {
		if t.Attempts != want {
			tb.Fatalf("runnertest: %q had %d attempts, not %d%s",
				t.Name, t.Attempts, want, r.because())
		}
	}
}

// RequireOrder ends the test unless each of the tasks or instances was over,
// with all its attempts, before the first attempt of the next one started.
func (r *Result) RequireOrder(tb testing.TB, names ...string) {
	tb.Helper()
	over, before := 0, ""
	for _, name := range names {
		list := r.AttemptsOf(name)
		if len(list) == 0 {
			tb.Fatalf("runnertest: %q was never started; this was: %q", name, r.Order())
		}
		if list[0].begun < over {
			tb.Fatalf("runnertest: %q was started before %q was over; the order was: %q",
				name, before, r.Order())
		}
		last := slices.MaxFunc(list, func(a, b *Attempt) int { return a.over - b.over })
		over, before = last.over, name
	}
}

// reports returns those of an instance or of all instances of a task.
func (r *Result) reports(tb testing.TB, name string) []runner.TaskReport {
	tb.Helper()
	if t, ok := r.Report.Task(name); ok {
		return []runner.TaskReport{t}
	}
	var list []runner.TaskReport
	for t := range r.Report.Tasks() {
		if t.Task == name {
			list = append(list, t)
		}
	}
	if len(list) == 0 {
		tb.Fatalf("runnertest: there is no task or instance %q%s", name, r.because())
	}
	return list
}

// because says what explains most failures of assertions.
func (r *Result) because() string {
	if r.Err == nil {
		return ""
	}
	return "; the run says: " + r.Err.Error()
}
