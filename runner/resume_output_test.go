package runner_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog/memlog"
)

// Output in files is there for engines to come, whatever attempt it is of.
func TestOutputOfEnginesBefore(t *testing.T) { // L4
	t.Parallel()
	for name, limit := range map[string]int64{"bounded": 0, "direct": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outputOfEnginesBefore(t, runner.Output{Dir: t.TempDir(), PerAttempt: limit})
		})
	}
}

func outputOfEnginesBefore(t *testing.T, o runner.Output) {
	t.Helper()
	log := memlog.New()
	const made = `{"made": {"command": ["x"]}}`
	ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
		if a.Task == "gen" {
			_, err := io.WriteString(a.Stdout, made)
			return result{}, err
		}
		_, outErr := fmt.Fprintf(a.Stdout, "out %d", a.Number)
		_, errErr := fmt.Fprintf(a.Stderr, "err %d", a.Number)
		code := 0
		if a.Task == "bad" {
			code = 1
		}
		return result{ExitCode: code}, errors.Join(outErr, errErr)
	}}
	d := tasks(task("gen"), task("good"), task("bad"))
	d.Tasks[0].Generator = true
	d.Tasks[2].MaxRetries = 1
	h, err := (&runner.Runner{Executor: ex, Log: log, Output: o}).Ensure(t.Context(), "x", d)
	require.NoError(t, err)
	_, before := h.Wait(t.Context())
	require.Error(t, before)

	h, err = (&runner.Runner{Executor: ex, Log: log, Output: o}).Resume(t.Context(), "x")
	require.NoError(t, err)
	report, err := h.Wait(t.Context())
	require.EqualError(t, err, before.Error(), "the tail is the same")
	require.ErrorContains(t, err, "err 2")
	for name, want := range map[string]string{"gen": made, "good": "out 1", "bad": "out 2"} {
		a, _ := report.Task(name)
		data, dropped := a.Stdout()
		require.Equal(t, want, string(data))
		require.Zero(t, dropped)
	}
	for _, q := range []runner.OutputQuery{
		{Attempt: 1, Stream: runner.Stderr}, {Attempt: 1, Stream: runner.Stderr, Follow: true},
	} {
		out, err := h.Output(t.Context(), "bad", q)
		require.NoError(t, err)
		text, err := io.ReadAll(out)
		require.NoError(t, err)
		require.NoError(t, out.Close())
		require.Equal(t, "err 1", string(text))
	}
	// Without the directory nothing is known of it, and nothing is wrong.
	h, err = (&runner.Runner{Executor: ex, Log: log}).Resume(t.Context(), "x")
	require.NoError(t, err)
	report, err = h.Wait(t.Context())
	require.Error(t, err)
	a, _ := report.Task("good")
	data, _ := a.Stdout()
	require.Empty(t, data)
}
