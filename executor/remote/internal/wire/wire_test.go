package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

func submission() *wire.Submission {
	return &wire.Submission{
		Key: "dag-7-1-2-3", Run: "run 7", Task: "fit", Instance: "fit_3", Index: 2, Number: 3,
		Job: dag.Job{
			Command:     []string{"echo", "a \"b\"\n", "", "Ω\u2028\x7f<&>"},
			Environment: []string{"A=b", "C="},
			WorkDir:     "/tmp", TimeLimit: 1500*time.Millisecond + 1,
			Resources: dag.Resources{dag.Cores: 2, dag.MemoryMB: 5120, "licence \"x\"": 0},
			Options:   map[string]any{"a": []any{json.Number("1.50"), "x", nil, true}},
		},
		PoolOptions: map[string]any{"partition": map[string]any{"name": "long"}},
		Node:        "node1", Resumed: true, Ref: "4711", Lease: time.Minute,
		Stdout: wire.Drop, Stderr: wire.Join,
	}
}

func ended() *wire.State {
	at := time.Date(2026, 3, 1, 12, 30, 0, 123456789, time.UTC)
	return &wire.State{
		Rev: 9, Key: "dag-7-1-2-3", State: wire.Ended, Ref: "4711", Node: "node1",
		Reason: "because", RetryAfter: time.Second, Stdout: 3, Stderr: 2, Stopping: true,
		Outcome: &wire.Outcome{
			Result: executor.Result{
				ExitCode: -1, Signal: "SIGKILL", Cause: executor.CauseMemory,
				Message: "too \"much\"",
				Node:    "node1", Start: at, End: at.Add(time.Second), UserCPU: 5, SystemCPU: 6,
				MaxRSS: 7, Left: []string{"pid 8"}, Unenforced: []string{"cores"},
			},
			Failure: &wire.Failure{Class: wire.Lost, Permanent: true, Text: "gone", Stack: "main"},
			Stopped: wire.StoppedLease, Inline: true, Stdout: []byte{0, 255, '\n'},
			Stderr: []byte("no"), Gone: true,
		},
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	for _, s := range []*wire.Submission{
		submission(),
		{Key: "k", Task: "t", Instance: "t", Job: dag.Command("x")},
		{Key: "k"},
		{Key: "k", Job: dag.Job{Command: []string{}, TimeLimit: math.MaxInt64}},
	} {
		data, err := s.Append(nil)
		require.NoError(t, err)
		require.True(t, json.Valid(data), "%s", data)
		again, err := wire.ParseSubmission(data)
		require.NoError(t, err)
		require.Equal(t, s, again)
	}
	for _, st := range []*wire.State{
		ended(), {Key: "k", State: "later"}, {Rev: math.MaxUint64, Outcome: &wire.Outcome{}},
	} {
		data := st.Append(nil)
		require.True(t, json.Valid(data), "%s", data)
		again, err := wire.ParseState(data)
		require.NoError(t, err)
		require.Equal(t, st, &again)
	}
}

// Results are written by hand, as encoding/json writes them.
func TestResultIsThatOfEncodingJSON(t *testing.T) {
	t.Parallel()
	st := ended()
	var told struct {
		Outcome struct{ Result json.RawMessage }
	}
	require.NoError(t, json.Unmarshal(st.Append(nil), &told))
	want, err := json.Marshal(st.Outcome.Result)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(told.Outcome.Result))
}

func TestEventsAndAnswers(t *testing.T) {
	t.Parallel()
	total := dag.Resources{dag.Cores: 4}
	for _, e := range []wire.Event{
		{State: ended()},
		{Ping: true},
		{Hello: &wire.Hello{Start: "s", After: 3, Rev: 4}},
		{Capacity: &wire.Capacity{Node: "n", Total: total, Free: total, Leases: 1, Draining: true}},
	} {
		line, err := e.Append(nil)
		require.NoError(t, err)
		require.Equal(t, byte('\n'), line[len(line)-1])
		again, err := wire.ParseEvent(line)
		require.NoError(t, err)
		require.Equal(t, e, again)
	}
	later, err := wire.ParseEvent([]byte(`{"weather":{"sun":[1,2,{}]}}`))
	require.NoError(t, err)
	require.Equal(t, wire.Event{}, later)
	for _, a := range []wire.Answer{
		{Line: 1, Key: "k", Status: 201},
		{Line: 2, Status: 429, Problem: &wire.Problem{
			Text: "no room", Code: wire.CodeNoRoom, RetryAfter: 1.5, Lost: true,
		}},
	} {
		again, err := wire.ParseAnswer(a.Append(nil))
		require.NoError(t, err)
		require.Equal(t, a, again)
	}
}

// Errors keep their class on the way.
func TestFailures(t *testing.T) {
	t.Parallel()
	text := errors.New("x")
	for _, err := range []error{
		text, executor.Permanent(text), &executor.LostError{Err: text},
		fmt.Errorf("it took: %w", executor.ErrTimeLimit),
		&executor.PanicError{Value: "boom", Stack: []byte("main.go:1")},
	} {
		st := wire.State{Outcome: &wire.Outcome{Failure: wire.NewFailure(err)}}
		told, e := wire.ParseState(st.Append(nil))
		require.NoError(t, e)
		again := told.Outcome.Failure.Err()
		require.Equal(t, err.Error(), again.Error())
		require.Equal(t, executor.IsPermanent(err), executor.IsPermanent(again))
		late := errors.Is(again, executor.ErrTimeLimit)
		require.Equal(t, errors.Is(err, executor.ErrTimeLimit), late)
		_, lost := errors.AsType[*executor.LostError](again)
		_, wasLost := errors.AsType[*executor.LostError](err)
		require.Equal(t, wasLost, lost)
		p, panicked := errors.AsType[*executor.PanicError](again)
		if was, ok := errors.AsType[*executor.PanicError](err); ok {
			require.True(t, panicked)
			require.Equal(t, was.Stack, p.Stack)
		}
	}
	require.Nil(t, wire.NewFailure(nil))
	require.NoError(t, (*wire.Failure)(nil).Err())
}

func TestBadSubmissions(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	for field, text := range map[string]string{
		"":                              `{"key":"k","jobs":{}}`,
		"job":                           `{"key":"k","job":{"cores":1}}`,
		"key":                           `{"key":"../x"}`,
		"run":                           `{"key":"k","run":7}`,
		"task":                          `{"key":"k","task":"a","task":"b"}`,
		"index":                         `{"key":"k","index":-1}`,
		"number":                        `{"key":"k","number":1e3}`,
		"resumed":                       `{"key":"k","resumed":null}`,
		"leaseSeconds":                  `{"key":"k","leaseSeconds":-1}`,
		"job.timeLimitSeconds":          `{"key":"k","job":{"timeLimitSeconds":1e300}}`,
		"job.workDir":                   `{"key":"k","job":{"workDir":"a","workDir":"b"}}`,
		"job.command":                   `{"key":"k","job":{"command":"echo"}}`,
		"job.resources":                 `{"key":"k","job":{"resources":{"cores":-1}}}`,
		"job.options":                   `{"key":"k","job":{"options":{"a":1,"a":2}}}`,
		"stderr":                        `{"key":"k","stderr":"both"}`,
		"instance":                      "{\"key\":\"k\",\"instance\":\"\xff\"}",
		"\x00ends too early":            `{"key":"k"`,
		"\x00nested too deeply":         `{"key":"k","poolOptions":{"a":` + deep + `}}`,
		"\x00comma":                     `{"key":"k",}`,
		"\x00more":                      `{"key":"k"} {}`,
		"\x00half a pair":               `{"key":"k","run":"\ud800"}`,
		"\x00a control character":       "{\"key\":\"k\",\"run\":\"\x01\"}",
		"\x00a number that begins by 0": `{"key":"k","index":01}`,
	} {
		_, err := wire.ParseSubmission([]byte(text))
		e, ok := errors.AsType[*wire.BadError](err)
		require.True(t, ok, "%s: %v", text, err)
		if !strings.HasPrefix(field, "\x00") {
			require.Equal(t, field, e.Field, text)
		}
	}
}

func TestNotUTF8IsRefusedWhereItWouldBeLost(t *testing.T) {
	t.Parallel()
	s := submission()
	s.Job.Command[1] = "\xff"
	_, err := s.Append(nil)
	e, ok := errors.AsType[*wire.BadError](err)
	require.True(t, ok)
	require.Equal(t, "job.command[1]", e.Field)
	st := wire.State{Reason: "a\xffb"}
	again, err := wire.ParseState(st.Append(nil))
	require.NoError(t, err)
	require.Equal(t, "a\ufffdb", again.Reason)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	keys, err := wire.ParseKeys([]byte(`{"keys":["a","b-1"]}`))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b-1"}, keys)
	for _, text := range []string{
		`{"keys":["/"]}`, `{"keys":"a"}`, `{"key":["a"]}`, `["a"]`, ``, `{"keys":[],"keys":[]}`,
	} {
		_, err := wire.ParseKeys([]byte(text))
		require.Error(t, err, text)
	}
	require.NoError(t, wire.CheckSession("Ab-9"))
	require.Error(t, wire.CheckSession("a b"))
	require.Error(t, wire.CheckSession(""))
}
