package main

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/runner/runnertest"
)

const day = "2026-03-01"

// An outage is a source that does not answer for a while. It looks at the clock
// as any program does; in a test it shows virtual time.
type outage struct {
	almanac
	station string // "": the list of stations
	until   time.Time
}

func (o outage) stations(day string) ([]string, error) {
	if o.station == "" && time.Now().Before(o.until) {
		return nil, errors.New("connection refused")
	}
	return o.almanac.stations(day)
}

func (o outage) temperature(station, day string) (float64, error) {
	if o.station == station && time.Now().Before(o.until) {
		return 0, errors.New("connection refused")
	}
	return o.almanac.temperature(station, day)
}

// midnight is when tests start.
var midnight = time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC)

// start runs the pipeline in virtual time.
func start(t *testing.T, s source) *runnertest.Result {
	t.Helper()
	w := &weather{source: s}
	return runnertest.Run(t, pipeline(day), runnertest.Config{Funcs: w.funcs(), Start: midnight})
}

func TestReportHasAllStations(t *testing.T) {
	t.Parallel()
	res := start(t, almanac{"rome": 14, "oslo": 4.5})
	res.RequireCompleted(t)
	res.RequireOrder(t, "stations", "fetch-oslo", "report")
	res.RequireOrder(t, "stations", "fetch-rome", "report")
	require.Equal(t, "temperatures of 2026-03-01\n"+
		"oslo          4.5\n"+
		"rome         14.0\n", res.Stdout(t, "report"))
	require.Equal(t, []string{"fetch", "oslo", day}, res.AttemptsOf("fetch-oslo")[0].Job.Command)
	require.Zero(t, res.Elapsed)
}

func TestNoStations(t *testing.T) {
	t.Parallel()
	res := start(t, almanac{})
	res.RequireCompleted(t)
	require.Equal(t, []string{"stations", "report"}, res.Order())
}

// A station that is away for some hours holds up the report, and nothing else.
func TestStationIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	res := start(t, outage{
		almanac: almanac{"rome": 14, "oslo": 4.5},
		station: "oslo", until: midnight.Add(150 * time.Minute),
	})
	res.RequireCompleted(t)
	res.RequireAttempts(t, "fetch-oslo", 4) // at 0:00, 1:00, 2:00 and 3:00
	res.RequireAttempts(t, "fetch-rome", 1)
	res.RequireOrder(t, "fetch-oslo", "report")
	require.Equal(t, 3*time.Hour, res.Elapsed)
}

func TestStationIsAwayForTooLong(t *testing.T) {
	t.Parallel()
	res := start(t, outage{
		almanac: almanac{"rome": 14, "oslo": 4.5},
		station: "oslo", until: midnight.Add(24 * time.Hour),
	})
	res.RequireState(t, "fetch-oslo", runner.Failed)
	res.RequireState(t, "fetch-rome", runner.Completed)
	res.RequireState(t, "report", runner.Skipped)
	res.RequireAttempts(t, "fetch-oslo", 6)
	failed, ok := errors.AsType[*runner.TaskError](res.Err)
	require.True(t, ok)
	require.Equal(t, "fetch-oslo", failed.Task)
	require.Contains(t, failed.Error(), "connection refused")
}

func TestBrokenThermometerIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	res := start(t, almanac{"rome": 850})
	res.RequireState(t, "fetch-rome", runner.Failed)
	res.RequireAttempts(t, "fetch-rome", 1)
	require.Zero(t, res.Elapsed)
}

// Only the first task is replaced: the others are the real ones.
func TestOneFunctionCanBeReplaced(t *testing.T) {
	t.Parallel()
	w := &weather{source: almanac{"oslo": 4.5}}
	funcs := w.funcs()
	funcs["stations"] = runnertest.Print(`{
		"fetch-oslo": {"command": ["fetch", "oslo", "{{DAY}}"], "children": ["report"]},
		"fetch-nowhere": {
			"command": ["fetch", "nowhere", "{{DAY}}"],
			"maxRetries": 1, "retryIntervalSeconds": 7200
		}
	}`)
	res := runnertest.Run(t, pipeline(day), runnertest.Config{Funcs: funcs})
	res.RequireState(t, "report", runner.Completed)
	res.RequireState(t, "fetch-nowhere", runner.Failed)
	require.Equal(t, 2*time.Hour, res.Elapsed)
}

// A command that is misspelt is found before anything runs.
func TestAllCommandsAreKnown(t *testing.T) {
	t.Parallel()
	w := &weather{source: almanac{}}
	r := runner.Runner{Executor: inproc.New(inproc.Config{Funcs: w.funcs()})}
	require.NoError(t, r.Validate(pipeline(day)))
}

func TestMainProgram(t *testing.T) {
	t.Parallel()
	require.NoError(t, run(t.Context()))
}
