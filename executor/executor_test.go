package executor_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

func succeed(context.Context, *executor.Attempt) (executor.Result, error) {
	return executor.Result{}, nil
}

// wrapped hides what it wraps, except from As.
type wrapped struct{ executor.Executor }

func (w wrapped) Unwrap() executor.Executor { return w.Executor }

// opaque does not say what it wraps.
type opaque struct{ executor.Executor }

// durable and allocating have an ability each.
type durable struct {
	executor.Executor
	answer bool
}

func (d durable) Durable() bool                           { return d.answer }
func (d durable) Forget(context.Context, ...string) error { return nil }
func (d durable) Unwrap() executor.Executor               { return d.Executor }

type allocating struct{ executor.Executor }

func (allocating) Allocator() *capacity.Allocator { return nil }

func TestAs(t *testing.T) {
	t.Parallel()
	plain := executor.RunFunc(succeed)
	for name, test := range map[string]struct {
		ex                  executor.Executor
		durable, allocating bool
	}{
		"none":          {ex: plain},
		"nil":           {},
		"its own":       {ex: allocating{plain}, allocating: true},
		"wrapped":       {ex: wrapped{allocating{plain}}, allocating: true},
		"wrapped twice": {ex: wrapped{wrapped{durable{plain, true}}}, durable: true},
		"of both": {
			ex: durable{allocating{plain}, true}, durable: true, allocating: true,
		},
		"the outermost answers":  {ex: durable{durable{plain, true}, false}},
		"hidden":                 {ex: opaque{allocating{plain}}},
		"nothing in the wrapper": {ex: wrapped{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, ok := executor.As[executor.Durable](test.ex)
			require.Equal(t, test.durable, ok && d.Durable())
			_, ok = executor.As[executor.Allocating](test.ex)
			require.Equal(t, test.allocating, ok)
		})
	}
}

func TestAsFindsTypes(t *testing.T) {
	t.Parallel()
	found, ok := executor.As[allocating](wrapped{allocating{executor.RunFunc(succeed)}})
	require.True(t, ok)
	require.NotNil(t, found.Executor)
}

func TestResult(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		result executor.Result
		want   string
	}{
		"zero":          {executor.Result{}, "success"},
		"with figures":  {executor.Result{MaxRSS: 1, Left: []string{"x"}}, "success"},
		"exit code":     {executor.Result{ExitCode: 3}, "failure (exit 3)"},
		"signal":        {executor.Result{ExitCode: -1, Signal: "SIGKILL"}, "failure (SIGKILL)"},
		"memory":        {result("SIGKILL", executor.CauseMemory), "failure (out of memory)"},
		"time":          {result("SIGTERM", executor.CauseTime), "failure (time limit)"},
		"time, exit 0":  {executor.Result{Cause: executor.CauseTime}, "failure (time limit)"},
		"another cause": {executor.Result{Cause: "preempted"}, "failure (preempted)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, test.result.String())
			require.Equal(t, test.want == "success", test.result.OK())
		})
	}
}

func result(signal string, cause executor.Cause) executor.Result {
	return executor.Result{ExitCode: -1, Signal: signal, Cause: cause}
}

// TestResultInJSON: logs keep results, so nothing may be lost and success small.
func TestResultInJSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
	for name, test := range map[string]struct {
		result executor.Result
		want   string
	}{
		"success": {executor.Result{}, `{}`},
		"everything": {
			executor.Result{
				ExitCode: -1, Signal: "SIGKILL", Cause: executor.CauseMemory,
				Message: "m", Node: "n",
				Start: at, End: at.Add(time.Second), UserCPU: 2, SystemCPU: 3, MaxRSS: 4,
				Left: []string{"pid 5"}, Unenforced: []string{dag.MemoryMB},
			},
			`{"exitCode":-1,"signal":"SIGKILL","cause":"memory","message":"m","node":"n",` +
				`"start":"2030-01-02T03:04:05.000000006Z","end":"2030-01-02T03:04:06.000000006Z",` +
				`"userCPU":2,"systemCPU":3,"maxRSS":4,"left":["pid 5"],"unenforced":["memoryMB"]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := json.Marshal(test.result)
			require.NoError(t, err)
			require.JSONEq(t, test.want, string(text))
			var again executor.Result
			require.NoError(t, json.Unmarshal(text, &again))
			require.Equal(t, test.result, again)
		})
	}
}

func TestEnviron(t *testing.T) {
	t.Parallel()
	a := &executor.Attempt{
		Run: "r", Task: "calc", Instance: "calc_2", Number: 3, Key: "k",
		Job: dag.Job{Environment: append(make([]string, 0, 9), "A=1", "DAGGY_RUN=forged")},
	}
	want := []string{
		"A=1", "DAGGY_RUN=forged", // of two, the last one counts
		"DAGGY_RUN=r", "DAGGY_TASK=calc_2", "DAGGY_ATTEMPT=3", "DAGGY_KEY=k",
	}
	require.Equal(t, want, a.Environ())
	first := a.Environ()
	first[0] = "changed"
	require.Equal(t, want, a.Environ(), "the slice is the caller's")
}

func TestReport(t *testing.T) {
	t.Parallel()
	a := &executor.Attempt{}
	require.NotPanics(t, func() { a.Report(executor.Status{Running: true}) })
	var got []executor.Status
	a.OnReport = func(s executor.Status) { got = append(got, s) }
	want := executor.Status{Running: true, Ref: "7", Node: "n", Reason: "why"}
	a.Report(want)
	require.Equal(t, []executor.Status{want}, got)
}

func TestRunFunc(t *testing.T) {
	t.Parallel()
	want := &executor.Attempt{Key: "k"}
	ex := executor.RunFunc(
		func(_ context.Context, a *executor.Attempt) (executor.Result, error) {
			require.Same(t, want, a)
			return executor.Result{ExitCode: 3}, nil
		})
	require.NoError(t, ex.Validate(dag.Job{Options: map[string]any{"any": 1}}))
	res, err := ex.Run(t.Context(), want)
	require.NoError(t, err)
	require.Equal(t, 3, res.ExitCode)
}
