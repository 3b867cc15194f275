package statelog_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

// normal makes records comparable: times in UTC, without a monotonic clock, and
// the definition as data instead of a function.
func normal(rec statelog.Record) (statelog.Record, *dag.DAG) {
	rec.Time, rec.Start = rec.Time.Round(0).UTC(), rec.Start.Round(0).UTC()
	if rec.Result != nil {
		result := *rec.Result
		result.Start, result.End = result.Start.Round(0).UTC(), result.End.Round(0).UTC()
		rec.Result = &result
	}
	if rec.Opened == nil || rec.Opened.Definition == nil {
		return rec, nil
	}
	opened := *rec.Opened
	d := opened.Definition()
	opened.Definition = nil
	rec.Opened = &opened
	return rec, d
}

func requireSame(t *testing.T, want, got statelog.Record) {
	t.Helper()
	wantRec, wantDAG := normal(want)
	gotRec, gotDAG := normal(got)
	require.Equal(t, wantRec, gotRec)
	require.Equal(t, wantDAG, gotDAG)
}

// L1: what is written is read back, every field of every kind.
func TestRecordsAreReadBack(t *testing.T) {
	t.Parallel()
	for i, want := range statelogtest.Records() {
		want.Seq = uint64(i + 1)
		b, err := json.Marshal(want)
		require.NoError(t, err)
		var got statelog.Record
		require.NoError(t, json.Unmarshal(b, &got), "%s", b)
		requireSame(t, want, got)
	}
}

// Whoever adds a field to Record adds it to the JSON, and to the made-up run by
// which all logs are checked.
func TestEveryFieldOccurs(t *testing.T) {
	t.Parallel()
	set := map[string]bool{}
	note := func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				set[prefix+v.Type().Field(i).Name] = true
			}
		}
	}
	for i, rec := range statelogtest.Records() {
		rec.Seq = uint64(i + 1)
		b, err := json.Marshal(rec)
		require.NoError(t, err)
		rec = statelog.Record{}
		require.NoError(t, json.Unmarshal(b, &rec))
		note("", reflect.ValueOf(rec))
		if rec.Opened != nil {
			note("Opened.", reflect.ValueOf(*rec.Opened))
		}
		if rec.Result != nil {
			note("Result.", reflect.ValueOf(*rec.Result))
		}
		for _, pool := range rec.Pools {
			note("Pools.", reflect.ValueOf(pool))
		}
	}
	for prefix, typ := range map[string]reflect.Type{
		"": reflect.TypeFor[statelog.Record](), "Opened.": reflect.TypeFor[statelog.Opening](),
		"Result.": reflect.TypeFor[executor.Result](), "Pools.": reflect.TypeFor[statelog.Pool](),
	} {
		for i := range typ.NumField() {
			name := prefix + typ.Field(i).Name
			require.True(t, set[name], "%s is nowhere set, or not read back", name)
		}
	}
}

// The form is written to disks and read by tools.
func TestRecordInJSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.March, 1, 13, 30, 0, 120000000, time.FixedZone("CET", 3600))
	d := &dag.DAG{Tasks: []dag.Task{{Name: "a", Job: dag.Command("true")}}}
	for _, tc := range []struct {
		name string
		rec  statelog.Record
		want string
	}{
		{
			"of the first task",
			statelog.Record{Seq: 2, Kind: statelog.Intent, Time: at, Attempt: 1},
			`{"seq":2,"kind":"intent","time":"2026-03-01T12:30:00.12Z","task":0,"attempt":1}`,
		},
		{
			"of a whole task",
			statelog.Record{
				Kind: statelog.Decided, Decision: statelog.FailFast, All: true,
				Task: 3, Instance: statelog.WholeTask,
			},
			`{"kind":"decided","task":3,"instance":-1,"decision":"failFast","all":true}`,
		},
		{
			"outcome",
			statelog.Record{
				Kind: statelog.Done, Task: 1, Instance: 2, Attempt: 3, Start: at,
				Delay: 90 * time.Second, Class: statelog.OutOfMemory, Reason: "killed",
				Result: &executor.Result{ExitCode: -1, Signal: "SIGKILL", UserCPU: 7},
			},
			`{"kind":"done","task":1,"instance":2,"attempt":3,"start":"2026-03-01T12:30:00.12Z",` +
				`"class":"outOfMemory","result":{"exitCode":-1,"signal":"SIGKILL","userCPU":7},` +
				`"delay":"1m30s","reason":"killed"}`,
		},
		{
			"output",
			statelog.Record{Kind: statelog.Done, Task: 1, Output: []byte("{\"x\": {}}\n")},
			`{"kind":"done","task":1,"output":"{\"x\": {}}\n"}`,
		},
		{
			"empty output",
			statelog.Record{Kind: statelog.Done, Task: 1, Output: []byte{}},
			`{"kind":"done","task":1,"output":""}`,
		},
		{
			"output that is no text",
			statelog.Record{Kind: statelog.Done, Task: 1, Output: []byte{0xff, 0xfe}},
			`{"kind":"done","task":1,"output64":"//4="}`,
		},
		{
			"opened",
			statelog.Record{
				Kind: statelog.Opened, Engine: "e1", Pools: []statelog.Pool{{Executor: "fork"}},
				Opened: &statelog.Opening{
					Version: 1, Expansion: 1, Seed: 1<<64 - 1, KeyPrefix: "k-",
					Definition: func() *dag.DAG { return d },
				},
			},
			`{"kind":"opened","opened":{"version":1,"expansion":1,"keyPrefix":"k-",` +
				`"seed":"18446744073709551615",` +
				`"definition":{"tasks":{"a":{"job":{"command":["true"]}}}}},` +
				`"pools":[{"name":"","executor":"fork"}],"engine":"e1"}`,
		},
		{
			"line breaks",
			statelog.Record{Kind: statelog.Lost, Ref: "a\nb", Reason: "\u2028 and \x00"},
			`{"kind":"lost","task":0,"ref":"a\nb","reason":"\u2028 and \u0000"}`,
		},
		{
			"not UTF-8",
			statelog.Record{Kind: statelog.Closed, State: "failed", Reason: "a\xffb"},
			`{"kind":"closed","reason":"a�b","state":"failed"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b, err := tc.rec.AppendJSON(nil)
			require.NoError(t, err)
			require.Equal(t, tc.want, string(b))
			var read statelog.Record
			require.NoError(t, json.Unmarshal(b, &read))
			again, err := read.AppendJSON([]byte("before "))
			require.NoError(t, err)
			require.Equal(t, "before "+tc.want, string(again))
		})
	}
}

func TestRecordsThatJSONCannotExpress(t *testing.T) {
	t.Parallel()
	late := time.Date(10000, time.January, 1, 0, 0, 0, 0, time.UTC)
	for name, rec := range map[string]statelog.Record{
		"no kind":          {},
		"unknown kind":     {Kind: 77},
		"unknown class":    {Kind: statelog.Done, Class: 77},
		"unknown decision": {Kind: statelog.Decided, Decision: 77},
		"late time":        {Kind: statelog.Done, Time: late},
		"late start":       {Kind: statelog.Done, Start: late},
		"late result":      {Kind: statelog.Done, Result: &executor.Result{End: late}},
		"definition": {Kind: statelog.Opened, Opened: &statelog.Opening{
			Definition: func() *dag.DAG { return &dag.DAG{Pool: "\xff"} },
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := rec.AppendJSON([]byte("before"))
			require.Error(t, err)
			require.Equal(t, "before", string(b))
			_, err = json.Marshal(rec)
			require.Error(t, err)
		})
	}
}

// What is not understood as a whole is not understood.
func TestRecordsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no kind":            `{"seq":1}`,
		"unknown kind":       `{"kind":"done2"}`,
		"unknown member":     `{"kind":"done","more":1}`,
		"unknown in opened":  `{"kind":"opened","opened":{"version":1,"more":1}}`,
		"unknown in result":  `{"kind":"done","result":{"more":1}}`,
		"unknown class":      `{"kind":"done","class":"fine"}`,
		"unknown decision":   `{"kind":"decided","decision":"maybe"}`,
		"bad delay":          `{"kind":"done","delay":"long"}`,
		"bad time":           `{"kind":"done","time":"yesterday"}`,
		"late time":          `{"kind":"done","time":"9999-12-31T23:59:59-01:00"}`,
		"two outputs":        `{"kind":"done","output":"a","output64":"YQ=="}`,
		"definition":         `{"kind":"opened","opened":{"definition":{"tasks":7}}}`,
		"no object":          `[]`,
		"more than a record": `{"kind":"done"}{"kind":"done"}`,
		"half a record":      `{"kind":"done"`,
		"nothing":            ``,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := statelog.Record{Kind: statelog.Lost, Reason: "before"}
			require.Error(t, rec.UnmarshalJSON([]byte(text)))
			require.Equal(t, statelog.Record{Kind: statelog.Lost, Reason: "before"}, rec)
		})
	}
}

// A definition that was allowed by larger limits when the run was opened can be
// read back.
func TestDefinitionsHaveNoLimits(t *testing.T) {
	t.Parallel()
	deep := any("x")
	for range 200 {
		deep = []any{deep}
	}
	job := dag.Job{Options: map[string]any{"deep": deep}}
	want := &dag.DAG{Tasks: []dag.Task{{Name: "a", Job: job}}}
	b, err := json.Marshal(statelog.Record{Kind: statelog.Opened, Opened: &statelog.Opening{
		Definition: func() *dag.DAG { return want },
	}})
	require.NoError(t, err)
	var rec statelog.Record
	require.NoError(t, json.Unmarshal(b, &rec))
	require.Equal(t, want, rec.Opened.Definition())
}

func FuzzRecordJSON(f *testing.F) {
	for i, rec := range statelogtest.Records() {
		rec.Seq = uint64(i + 1)
		b, err := json.Marshal(rec)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add([]byte(`{"kind":"done","output64":"/w==","delay":"-1ns","start":"0001-01-01T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var rec statelog.Record
		if rec.UnmarshalJSON(data) != nil {
			return
		}
		b, err := rec.AppendJSON(nil)
		require.NoError(t, err)
		require.NotContains(t, string(b), "\n")
		var again statelog.Record
		require.NoError(t, json.Unmarshal(b, &again), "%s", b)
		b2, err := again.AppendJSON(nil)
		require.NoError(t, err)
		require.Equal(t, string(b), string(b2))
		require.Equal(t, rec.Delay, again.Delay)
		require.Equal(t, rec.Output, again.Output)
		require.True(t, rec.Time.Equal(again.Time) && rec.Start.Equal(again.Start))
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	b.ReportAllocs()
	now := time.Now()
	done := statelog.Record{
		Seq: 12, Kind: statelog.Done, Time: now, Start: now, Task: 7, Attempt: 1, Delay: -1,
	}
	var dst []byte
	for b.Loop() {
		var err error
		if dst, err = done.AppendJSON(dst[:0]); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(dst)))
}
