package runnertest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/executor/sim"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/runner/runnertest"
)

// pipeline is written for local processes: nothing in it knows of tests.
func pipeline() *dag.DAG {
	return &dag.DAG{
		Parameters: dag.Parameters{"CITY": dag.List("oslo", "rome")},
		Tasks: []dag.Task{
			{
				Name: "fetch", Job: dag.Job{CommandString: "curl 'https://x.test/{{CITY}} now'"},
				MaxRetries: 3, RetryInterval: time.Hour,
			},
			{Name: "store", Job: dag.Command("psql", "-f", "load.sql"), Parents: []string{"fetch"}},
			{Name: "all", Parents: []string{"store"}},
			{Name: "mail", Job: dag.Command("sendmail"), Parents: []string{"all"}},
		},
	}
}

// R3: a retry after an hour takes no time, and an hour of the clock.
func TestRetryAfterAnHour(t *testing.T) {
	t.Parallel()
	began := time.Now()
	res := runnertest.Run(t, pipeline(), runnertest.Config{
		Funcs: inproc.Funcs{
			"curl": runnertest.FailFirst(2,
				runnertest.Take(time.Minute, runnertest.Print("21"))),
			"psql":     runnertest.Take(time.Second, nil),
			"sendmail": runnertest.Print("sent"),
		},
	})
	res.RequireCompleted(t)
	res.RequireState(t, "fetch", runner.Completed)
	res.RequireState(t, "all", runner.Completed)
	res.RequireAttempts(t, "fetch", 3)
	res.RequireAttempts(t, "fetch_2", 3)
	res.RequireAttempts(t, "mail", 1)
	res.RequireOrder(t, "fetch", "store", "mail")
	res.RequireOrder(t, "fetch_1", "store")
	require.Equal(t, "21", res.Stdout(t, "fetch_1"))
	require.Equal(t, "sent", res.Stdout(t, "mail"))
	require.Empty(t, res.Stderr(t, "mail"))
	require.Equal(t, 2*time.Hour+time.Minute+time.Second, res.Elapsed)
	require.ElementsMatch(t, []string{"fetch_1", "fetch_2", "store", "mail"}, res.Order())
	require.Less(t, time.Since(began), time.Hour, "that time was virtual")
}

// What was run is known word by word.
func TestAttemptsAreRecorded(t *testing.T) {
	t.Parallel()
	d := pipeline()
	d.JobDefaults.Environment = []string{"TZ=UTC"}
	res := runnertest.Run(t, d, runnertest.Config{
		Funcs:   inproc.Funcs{"curl": runnertest.FailFirst(1, nil)},
		Default: runnertest.Exit(0),
	})
	res.RequireCompleted(t)
	list := res.AttemptsOf("fetch_2")
	require.Len(t, list, 2)
	for i, a := range list {
		require.Equal(t, "fetch", a.Task)
		require.Equal(t, "fetch_2", a.Instance)
		require.Equal(t, i+1, a.Number)
		require.Equal(t, []string{"curl", "https://x.test/rome now"}, a.Job.Command)
		require.Equal(t, []string{"TZ=UTC"}, a.Job.Environment)
		require.Equal(t, time.Duration(i)*time.Hour, a.Start)
		require.Equal(t, a.Start, a.End)
		require.NoError(t, a.Err)
	}
	require.Equal(t, 1, list[0].Result.ExitCode)
	require.True(t, list[1].Result.OK())
	require.Len(t, res.AttemptsOf("fetch"), 4)
	require.Empty(t, res.AttemptsOf("all"), "D9: nobody has to run a group")
	require.Equal(t, runner.Completed, res.Task(t, "all").State)
}

func TestCommands(t *testing.T) {
	t.Parallel()
	one := func(job dag.Job) *dag.DAG {
		return &dag.DAG{Tasks: []dag.Task{{Name: "x", Job: job}}}
	}
	known := inproc.Funcs{"curl": runnertest.Print("known")}
	for _, tc := range []struct {
		name  string
		c     runnertest.Config
		job   dag.Job
		state runner.State
		out   string
	}{
		{
			"known",
			runnertest.Config{Funcs: known},
			dag.Command("curl", "x"), runner.Completed, "known",
		},
		{
			"known before the default",
			runnertest.Config{Funcs: known, Default: runnertest.Exit(1)},
			dag.Command("curl", "x"), runner.Completed, "known",
		},
		{
			"default sees the command",
			runnertest.Config{Funcs: known, Default: echo},
			dag.Command("wget", "a", "b"), runner.Completed, `["wget" "a" "b"]`,
		},
		{
			"default of a command string",
			runnertest.Config{Default: echo},
			dag.Job{CommandString: "wget 'a b'"},
			runner.Completed, `["wget" "a b"]`,
		},
		{
			"exit code",
			runnertest.Config{Default: runnertest.Exit(3)},
			dag.Command("wget"), runner.Failed, "",
		},
		{
			"another executor", runnertest.Config{
				Executor: sim.New(sim.Config{Default: sim.Behaviour{Stdout: "sim"}}), Funcs: known,
			}, dag.Command("wget"), runner.Completed, "sim",
		},
		{
			"options are for the executor that is not there",
			runnertest.Config{Funcs: known},
			dag.Job{Command: []string{"curl"}, Options: map[string]any{"partition": "long"}},
			runner.Completed, "known",
		},
		{
			"resources are not looked for",
			runnertest.Config{Funcs: known},
			dag.Job{Command: []string{"curl"}, Resources: dag.Resources{dag.Cores: 4096}},
			runner.Completed, "known",
		},
		{
			"stopped by its time limit",
			runnertest.Config{Default: runnertest.Take(time.Hour, nil)},
			dag.Job{Command: []string{"sleep"}, TimeLimit: time.Minute},
			runner.Failed, "",
		},
		{
			"panic", runnertest.Config{Default: func(context.Context, *inproc.Call) error {
				panic("oh")
			}}, dag.Command("x"), runner.Failed, "",
		},
		{
			"nothing but a task without a command",
			runnertest.Config{},
			dag.Job{},
			runner.Completed, "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			res := runnertest.Run(t, one(tc.job), tc.c)
			res.RequireState(t, "x", tc.state)
			require.Equal(t, tc.out, res.Stdout(t, "x"))
			require.Equal(t, tc.state == runner.Completed, res.Err == nil)
		})
	}
}

func echo(_ context.Context, c *inproc.Call) error {
	_, err := fmt.Fprintf(c.Stdout, "%q", c.Attempt.Job.Command)
	return err
}

func TestNothingStartsOfABadDefinition(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		task dag.Task
	}{
		{"unknown command", dag.Task{Name: "x", Job: dag.Command("crul")}},
		{"unknown parent", dag.Task{Name: "x", Parents: []string{"y"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			res := runnertest.Run(t, &dag.DAG{Tasks: []dag.Task{tc.task}}, runnertest.Config{
				Funcs: inproc.Funcs{"curl": runnertest.Exit(0)},
			})
			require.ErrorIs(t, res.Err, dag.ErrInvalid)
			require.Empty(t, res.Attempts)
			require.Empty(t, res.Report.Run)
		})
	}
}

// A pipeline that is meant for other executors runs without any of them.
func TestPoolsAreReplaced(t *testing.T) {
	t.Parallel()
	never := executor.RunFunc(func(context.Context, *executor.Attempt) (executor.Result, error) {
		return executor.Result{}, errors.New("the real executor was called")
	})
	production := &runner.Runner{
		Executor: never,
		Pools:    map[string]executor.Executor{"cluster": never, "generated": never},
		FailFast: true,
	}
	d := &dag.DAG{Pool: "cluster", Tasks: []dag.Task{
		{Name: "a", Job: dag.Command("x")},
		{Name: "b", Job: dag.Command("x"), Pool: "site"},
		{Name: "c", Job: dag.Command("x"), Pool: "special"},
		{Name: "g", Job: dag.Command("generate"), Generator: true},
	}}
	res := runnertest.Run(t, d, runnertest.Config{
		Runner: production,
		Funcs: inproc.Funcs{
			"x": runnertest.Print("fake"),
			"generate": inproc.Generator(func(context.Context, *inproc.Call) ([]dag.Task, error) {
				return []dag.Task{{Name: "more", Job: dag.Command("x"), Pool: "generated"}}, nil
			}),
		},
		Pools: map[string]executor.Executor{
			"special": sim.New(sim.Config{Default: sim.Behaviour{Stdout: "sim"}}),
		},
	})
	res.RequireCompleted(t)
	require.Equal(t, "fake", res.Stdout(t, "a"))
	require.Equal(t, "fake", res.Stdout(t, "b"))
	require.Equal(t, "sim", res.Stdout(t, "c"))
	require.Equal(t, "fake", res.Stdout(t, "more"))
	res.RequireOrder(t, "g", "more")
	require.Len(t, production.Pools, 2, "the Runner is not altered")
}

// The other settings of the Runner count.
func TestRunnerSettings(t *testing.T) {
	t.Parallel()
	var told int
	d := &dag.DAG{Tasks: []dag.Task{
		{Name: "a", Job: dag.Command("x")},
		{Name: "b", Job: dag.Command("x")},
	}}
	res := runnertest.Run(t, d, runnertest.Config{
		Default: runnertest.Take(time.Minute, nil),
		Runner: &runner.Runner{
			MaxRunning: 1,
			Observers: []runner.Observer{{
				AttemptEnded: func(*runner.Handle, runner.Event) { told++ },
			}},
		},
	})
	res.RequireCompleted(t)
	require.Equal(t, 2*time.Minute, res.Elapsed)
	require.Equal(t, []string{"a", "b"}, res.Order())
	res.RequireOrder(t, "a", "b")
	require.Equal(t, 2, told)
}

func TestMeanwhile(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{Tasks: []dag.Task{
		{Name: "slow", Job: dag.Command("x")},
		{Name: "next", Job: dag.Command("x"), Parents: []string{"slow"}},
		{Name: "other", Job: dag.Command("x")},
	}}
	res := runnertest.Run(t, d, runnertest.Config{
		Default: runnertest.Take(time.Hour, nil),
		Meanwhile: func(h *runner.Handle) {
			<-time.After(time.Minute)
			if err := h.Kill(context.Background(), "slow"); err != nil {
				panic(err)
			}
		},
	})
	res.RequireState(t, "slow", runner.Killed)
	res.RequireState(t, "next", runner.Skipped)
	res.RequireState(t, "other", runner.Completed)
	require.Equal(t, time.Minute, res.AttemptsOf("slow")[0].End)
	require.Equal(t, time.Hour, res.Elapsed)
}

// A task that is not to run before some day of the real calendar.
func TestStart(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	d := &dag.DAG{Tasks: []dag.Task{{Name: "x", Job: dag.Command("x"), NotBefore: noon}}}
	res := runnertest.Run(t, d, runnertest.Config{
		Default: runnertest.Exit(0),
		Start:   noon.Add(-12 * time.Hour),
	})
	res.RequireCompleted(t)
	require.Equal(t, 12*time.Hour, res.Elapsed)
	require.True(t, res.Task(t, "x").Start.Equal(noon))
}

func TestRunInBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &dag.DAG{Tasks: []dag.Task{{
			Name: "x", Job: dag.Command("x"), NotBefore: time.Now().Add(time.Hour),
		}}}
		opened := make(chan struct{})
		go func() {
			<-time.After(2 * time.Hour)
			close(opened)
		}()
		res := runnertest.RunInBubble(t, d, runnertest.Config{
			Default: func(context.Context, *inproc.Call) error {
				<-opened
				return nil
			},
		})
		res.RequireCompleted(t)
		require.Equal(t, time.Hour, res.Attempts[0].Start)
		require.Equal(t, 2*time.Hour, res.Elapsed)
	})
}

// The same seed makes the same random decisions: pauses after lost attempts.
func TestSeed(t *testing.T) {
	t.Parallel()
	elapsed := func(seed uint64) time.Duration {
		d := &dag.DAG{Tasks: []dag.Task{{Name: "x", Job: dag.Command("x")}}}
		res := runnertest.Run(t, d, runnertest.Config{
			Runner:   &runner.Runner{Seed: seed},
			Executor: sim.New(sim.Config{Default: sim.Behaviour{Lost: 5}}),
		})
		res.RequireCompleted(t)
		require.Positive(t, res.Elapsed)
		return res.Elapsed
	}
	unset, seven := elapsed(0), elapsed(7)
	require.Equal(t, unset, elapsed(0))
	require.Equal(t, seven, elapsed(7))
	require.NotEqual(t, seven, elapsed(8))
}
