package statelogtest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/statelog"
)

// epoch is when the runs of the suite were opened.
var epoch = time.Date(2026, time.March, 1, 12, 30, 0, 123456789, time.UTC)

// Records returns the records of a made-up run. All kinds occur, and all fields
// that records of a kind have, those of parts included. They are new at every
// call and not numbered.
func Records() []statelog.Record {
	recs := []statelog.Record{opening(epoch, "team", "blue")}
	recs = append(recs, attempts()...)
	recs = append(recs, decisions()...)
	recs = append(recs, turns()...)
	for i := range recs {
		recs[i].Time = epoch.Add(time.Duration(i) * 1001 * time.Millisecond)
	}
	return recs
}

// opening returns the first record of a run, with tags from pairs of words.
func opening(at time.Time, tags ...string) statelog.Record {
	d := &dag.DAG{
		Tags: map[string]string{},
		Tasks: []dag.Task{
			{Name: "pull", Job: dag.Command("pull", "--all"), MaxRetries: 2},
			{Name: "report", Job: dag.Command("report"), Parents: []string{"pull"}},
		},
	}
	for i := 0; i+1 < len(tags); i += 2 {
		d.Tags[tags[i]] = tags[i+1]
	}
	return statelog.Record{
		Kind: statelog.Opened, Time: at, Engine: "0a1b2c3d",
		Opened: &statelog.Opening{
			Version: statelog.Version, Expansion: 1,
			Definition: func() *dag.DAG { return d },
			Tags:       d.Tags, KeyPrefix: "k7-", Seed: 1<<64 - 3,
			FailFast: true, LongestPathFirst: true,
		},
		Pools: pools(),
	}
}

func pools() []statelog.Pool {
	return []statelog.Pool{
		{Name: "", Executor: "fork"},
		{Name: "cluster", Executor: "slurm", Durable: true},
	}
}

// attempts are ends of every class, and what comes before.
func attempts() []statelog.Record {
	result := &executor.Result{
		ExitCode: -1, Signal: "SIGKILL", Cause: executor.CauseMemory,
		Message: "out of memory: 3 GiB", Node: "n1",
		Start: epoch, End: epoch.Add(time.Second),
		UserCPU: 20 * time.Millisecond, SystemCPU: 3 * time.Nanosecond, MaxRSS: 3 << 30,
		Left: []string{"pid 77"}, Unenforced: []string{"memoryMB"},
	}
	generated := []byte("{\"more\": {\"command\": [\"x\"]}}\n")
	at := func(kind statelog.Kind, number int) statelog.Record {
		return statelog.Record{Kind: kind, Task: 1, Instance: 41, Attempt: number}
	}
	intent, started, done := at(statelog.Intent, 1), at(statelog.Started, 1), at(statelog.Done, 1)
	intent.Node, started.Node, started.Ref = "n1", "n2", "4711.batch"
	done.Start, done.Class, done.Result = epoch, statelog.OutOfMemory, result
	done.Delay, done.Reason = 90*time.Second, `killed: "cgroup" <limit> & – “quoted”`

	lost, withdrawn := at(statelog.Lost, 2), at(statelog.NotStarted, 3)
	lost.Start, lost.Class = epoch.Add(-48*time.Hour), statelog.Infrastructure
	lost.Delay, lost.Reason = 1500*time.Millisecond, "node n1 is gone"
	withdrawn.Reason = "no process"

	generator := at(statelog.Done, 4)
	generator.Start, generator.Delay, generator.Output = epoch.Add(time.Millisecond), -1, generated

	recs := []statelog.Record{intent, started, done, lost, withdrawn, generator}
	for class := statelog.Success; class <= statelog.Interrupted; class++ {
		rec := statelog.Record{Kind: statelog.Done, Task: int(class), Attempt: 1, Class: class}
		rec.Result = &executor.Result{ExitCode: int(class)}
		recs = append(recs, rec)
	}
	return recs
}

// decisions are those there are, about an instance and about a task.
func decisions() []statelog.Record {
	var recs []statelog.Record
	for decision := statelog.Kill; decision <= statelog.Abort; decision++ {
		recs = append(recs, statelog.Record{
			Kind: statelog.Decided, Decision: decision, Task: 1, Instance: int(decision),
		}, statelog.Record{
			Kind: statelog.Decided, Decision: decision, Task: 1, Instance: statelog.WholeTask,
			All: true, Reason: "asked for",
		})
	}
	return recs
}

// turns end a run and go on with it.
func turns() []statelog.Record {
	return []statelog.Record{
		{Kind: statelog.Detached, Reason: "interrupted"},
		{Kind: statelog.Resumed, Engine: "4e5f6071", Pools: pools()},
		{Kind: statelog.Closed, State: "failed", Reason: "pull failed"},
		{Kind: statelog.Reopened, Engine: "8293a4b5", Pools: pools()},
		{Kind: statelog.Closed, State: "completed"},
	}
}

// numbered is the i-th of many small records that can be told apart.
func numbered(i int) statelog.Record {
	kind := statelog.Intent
	if i%2 == 1 {
		kind = statelog.Done
	}
	at := epoch.Add(time.Duration(i) * time.Microsecond)
	return statelog.Record{Kind: kind, Time: at, Task: i, Instance: i % 7, Attempt: 1 + i%3}
}

// text says all that there is to say of a record. Records with the same text
// are the same.
func text(t tb, rec statelog.Record) string {
	t.Helper()
	b, err := rec.AppendJSON(nil)
	require.NoError(t, err)
	return string(b)
}

// texts numbers records from the given one and returns what reading must yield.
func texts(t tb, from uint64, recs []statelog.Record) []string {
	t.Helper()
	var out []string
	for i, rec := range recs {
		rec.Seq = from + uint64(i)
		out = append(out, text(t, rec))
	}
	return out
}
