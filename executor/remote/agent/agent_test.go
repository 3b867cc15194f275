package agent_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/agent"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/internal/httpguard"
	"github.com/daggy-go/daggy/internal/httpguard/guardtest"
	"github.com/daggy-go/daggy/statelog"
)

func TestSubmitAndHear(t *testing.T) {
	t.Parallel()
	d := boot(t, agent.Config{Executor: executor.RunFunc(
		func(_ context.Context, at *executor.Attempt) (executor.Result, error) {
			_, err := fmt.Fprint(at.Stdout, "hello ", at.Job.Command[0])
			return executor.Result{ExitCode: 3}, err
		})})
	got := d.put(t, "s1", "k-0-0-1", `{"run":"r","task":"t","job":{"command":["x"]}}`)
	require.Equal(t, http.StatusCreated, got.status, "%s", got.body)
	require.Equal(t, "1", got.header.Get(wire.HeaderProtocol))
	st := d.end(t, "k-0-0-1")
	require.Equal(t, wire.Ended, st.State)
	require.Equal(t, 3, st.Outcome.Result.ExitCode)
	require.Equal(t, "hello x", string(st.Outcome.Stdout))
	require.Equal(t, int64(7), st.Stdout)
	got = d.put(t, "s1", "k-0-0-1", `{"run":"r","task":"t","job":{"command":["x"]}}`)
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, wire.Ended, got.state(t).State)
	got = d.put(t, "s1", "k-0-0-1", `{"run":"r","task":"t","job":{"command":["y"]}}`)
	require.Equal(t, http.StatusConflict, got.status)
	require.Equal(t, wire.CodeConflict, got.problem(t).Code)
}

func TestBatchAndStream(t *testing.T) {
	t.Parallel()
	d := boot(t, agent.Config{Executor: executor.RunFunc(nothing)})
	var body bytes.Buffer
	const n = 100
	for i := range n {
		_, _ = fmt.Fprintf(&body, `{"key":"k-0-%d-1","job":{}}`+"\n", i)
	}
	body.WriteString(`{"key":"bad","jobs":{}}` + "\n")
	got := d.ask(t, "s1", http.MethodPost, wire.PathTasks, body.String())
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	lines := strings.Split(strings.TrimSpace(string(got.body)), "\n")
	require.Len(t, lines, n+1)
	for i, line := range lines {
		a, err := wire.ParseAnswer([]byte(line))
		require.NoError(t, err)
		require.Equal(t, i+1, a.Line)
		want := http.StatusCreated
		if i == n {
			want = http.StatusBadRequest
		}
		require.Equal(t, want, a.Status, line)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+wire.PathResults, nil)
	require.NoError(t, err)
	req.Header.Set(wire.HeaderSession, "s1")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	ended := map[string]bool{}
	for in := bufio.NewScanner(resp.Body); len(ended) < n && in.Scan(); {
		e, err := wire.ParseEvent(in.Bytes())
		require.NoError(t, err, in.Text())
		if e.State != nil && e.State.State == wire.Ended {
			ended[e.State.Key] = true
		}
	}
	require.Len(t, ended, n)
}

// Closing, E5: a key that was never seen never starts, what runs is stopped, and how
// it ended is only the business of those whose wish that was.
func TestClose(t *testing.T) {
	t.Parallel()
	h := newHolder()
	d := boot(t, agent.Config{Executor: executor.RunFunc(h.run)})
	const job = `{"job":{"command":["x"]}}`
	path := wire.PathTask + "unseen"
	require.Equal(t, http.StatusNotFound, d.ask(t, "", http.MethodGet, path, "").status)
	got := d.ask(t, "s1", http.MethodDelete, path, "")
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, wire.Closed, got.state(t).State)
	late := d.put(t, "s1", "unseen", job)
	require.Equal(t, http.StatusGone, late.status)
	require.True(t, late.problem(t).Lost)
	require.Zero(t, h.started("unseen"))

	require.Equal(t, http.StatusCreated, d.put(t, "s1", "k", job).status)
	d.until(t, "k", isRunning)
	got = d.ask(t, "s2", http.MethodDelete, wire.PathTask+"k?wait=30s", "")
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	st := got.state(t)
	require.Equal(t, "SIGTERM", st.Outcome.Result.Signal)
	require.Equal(t, wire.StoppedClosed, st.Outcome.Stopped)
	require.Equal(t, http.StatusOK, d.put(t, "s2", "k", job).status)
	require.Equal(t, http.StatusGone, d.put(t, "s3", "k", job).status)
	require.Equal(t, http.StatusGone, d.put(t, "s3", "k", `{"resumed":true,`+job[1:]).status)
	require.Equal(t, 1, h.started("k"))
}

// A success stays one, and a time limit is a failure of the task.
func TestStoppedAttempts(t *testing.T) {
	t.Parallel()
	stubborn := executor.RunFunc(
		func(ctx context.Context, at *executor.Attempt) (executor.Result, error) {
			<-ctx.Done()
			if at.Task == "stubborn" {
				return executor.Result{}, nil
			}
			return executor.Result{ExitCode: -1, Signal: "SIGKILL"}, nil
		})
	d := boot(t, agent.Config{Executor: stubborn})
	require.Equal(t, http.StatusCreated, d.put(t, "s1", "a", `{"task":"stubborn","job":{}}`).status)
	d.ask(t, "s1", http.MethodDelete, wire.PathTask+"a?wait=30s", "")
	require.Equal(t, http.StatusOK, d.put(t, "s2", "a", `{"task":"stubborn","job":{}}`).status)

	require.Equal(t, http.StatusCreated, d.put(t, "s1", "b", `{"job":{}}`).status)
	got := d.ask(t, "s1", http.MethodDelete, wire.PathTask+"b?wait=30s&cause=time", "")
	require.Equal(t, executor.CauseTime, got.state(t).Outcome.Result.Cause)
	require.Equal(t, http.StatusOK, d.put(t, "s2", "b", `{"job":{}}`).status)

	const limited = `{"job":{"timeLimitSeconds":0.01}}`
	require.Equal(t, http.StatusCreated, d.put(t, "s1", "c", limited).status)
	require.Equal(t, executor.CauseTime, d.end(t, "c").Outcome.Result.Cause)
	require.Equal(t, http.StatusOK, d.put(t, "s2", "c", limited).status)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	h := newHolder()
	d := boot(t, agent.Config{
		Executor: executor.RunFunc(h.run), Capacity: capacity.Resources{dag.Cores: 2},
	})
	two := `{"job":{"resources":{"cores":2}}}`
	require.Equal(t, http.StatusCreated, d.put(t, "s", "k", two).status)
	for name, c := range map[string]struct {
		session, key, body string
		status             int
		code               string
	}{
		"no session":     {"", "x", two, 400, wire.CodeSession},
		"bad session":    {"a b", "x", two, 400, wire.CodeSession},
		"bad key":        {"s", "X", two, 422, wire.CodeInvalid},
		"other key":      {"s", "x", `{"key":"y","job":{}}`, 400, wire.CodeMalformed},
		"not JSON":       {"s", "x", `{`, 400, wire.CodeMalformed},
		"unknown member": {"s", "x", `{"job":{"cores":2}}`, 400, wire.CodeMalformed},
		"no room":        {"s", "x", `{"job":{}}`, 429, wire.CodeNoRoom},
		"never":          {"s", "x", `{"job":{"resources":{"cores":3}}}`, 422, wire.CodeNever},
		"too long": {
			"s", "x", `{"task":"` + strings.Repeat("x", wire.MaxSubmission) + `"}`,
			413, wire.CodeTooLarge,
		},
		"many resources": {"s", "x", `{"job":{"resources":{"` + strings.Repeat("x", 20_000) +
			`":1}}}`, 422, wire.CodeInvalid},
	} {
		got := d.put(t, c.session, c.key, c.body)
		require.Equal(t, c.status, got.status, "%s: %.200s", name, got.body)
		p := got.problem(t)
		require.Equal(t, c.code, p.Code, name)
		require.NotEmpty(t, p.Text, name)
		if c.status == http.StatusTooManyRequests {
			require.NotEmpty(t, got.header.Get("Retry-After"))
		}
	}
	require.Zero(t, h.started("x"))
	got := d.ask(t, "", http.MethodGet, wire.PathTask+"x", "")
	require.Equal(t, http.StatusNotFound, got.status)
	close(h.gate("k"))
	d.end(t, "k")
	require.Equal(t, http.StatusCreated, d.put(t, "s", "x", `{"job":{}}`).status)
	close(h.gate("x"))
}

func TestOtherVersionsAreNamed(t *testing.T) {
	t.Parallel()
	d := boot(t, agent.Config{Executor: executor.RunFunc(nothing)})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+wire.PathHealth, nil)
	require.NoError(t, err)
	req.Header.Set(wire.HeaderProtocol, "7")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.Equal(t, "1", resp.Header.Get(wire.HeaderProtocol))
	var p wire.Problem
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&p))
	require.Equal(t, wire.CodeProtocol, p.Code)
	require.Contains(t, p.Text, `"7"`)
}

// Output can be read while it grows, by range, and is inline when it is short.
func TestOutput(t *testing.T) {
	t.Parallel()
	const long = 3 * wire.MaxInline
	gate, written := make(chan struct{}), make(chan struct{})
	d := boot(t, agent.Config{Executor: executor.RunFunc(
		func(_ context.Context, at *executor.Attempt) (executor.Result, error) {
			if at.Task == "join" {
				_, _ = io.WriteString(at.Stdout, "a")
				_, _ = io.WriteString(at.Stderr, "b")
				_, err := io.WriteString(at.Stdout, "c")
				return executor.Result{}, err
			}
			if at.Task == "drop" {
				_, err := io.WriteString(at.Stdout, strings.Repeat("x", long))
				return executor.Result{}, err
			}
			for range long / 4 {
				if _, err := io.WriteString(at.Stdout, "abcd"); err != nil {
					return executor.Result{}, err
				}
			}
			close(written)
			<-gate
			_, err := io.WriteString(at.Stderr, "end")
			return executor.Result{}, err
		})})
	require.Equal(t, http.StatusCreated, d.put(t, "s", "k", `{"job":{}}`).status)
	<-written
	st := d.until(t, "k", func(st wire.State) bool { return st.Stdout == long })
	require.Equal(t, wire.Accepted, st.State)
	fetch := func(key, stream, bytes string) answer {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			d.url+wire.PathTask+key+stream, nil)
		require.NoError(t, err)
		if bytes != "" {
			req.Header.Set("Range", bytes)
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		data, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return answer{resp.StatusCode, resp.Header, data}
	}
	all := strings.Repeat("abcd", long/4)
	got := fetch("k", "/stdout", "")
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, all, string(got.body))
	got = fetch("k", "/stdout", "bytes=5-")
	require.Equal(t, http.StatusPartialContent, got.status)
	require.Equal(t, all[5:], string(got.body))
	got = fetch("k", "/stdout", "bytes=5-9223372036854775807")
	require.Equal(t, http.StatusPartialContent, got.status)
	require.Equal(t, all[5:], string(got.body))
	got = fetch("k", "/stdout", "bytes=5-8")
	require.Equal(t, all[5:9], string(got.body))
	require.Equal(t, fmt.Sprintf("bytes 5-8/%d", long), got.header.Get("Content-Range"))
	got = fetch("k", "/stdout", fmt.Sprintf("bytes=%d-", long))
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, got.status)
	require.Equal(t, fmt.Sprintf("bytes */%d", long), got.header.Get("Content-Range"))
	for _, bad := range []string{"bytes=-5", "bytes=7-3", "bytes=a-", "lines=1-", "bytes=1-2,4-5"} {
		require.Equal(t, http.StatusRequestedRangeNotSatisfiable, fetch("k", "/stdout", bad).status)
	}
	require.Equal(t, http.StatusNotFound, fetch("unseen", "/stdout", "").status)
	close(gate)
	st = d.end(t, "k")
	require.False(t, st.Outcome.Inline)
	require.Equal(t, int64(3), st.Stderr)
	require.Equal(t, "end", string(fetch("k", "/stderr", "").body))
	require.Equal(t, all, string(fetch("k", "/stdout", "").body))
	require.Equal(t, http.StatusOK, d.ask(t, "s", http.MethodPost, wire.PathAck,
		`{"keys":["k"]}`).status)
	require.Equal(t, http.StatusGone, fetch("k", "/stdout", "").status)

	require.Equal(t, http.StatusCreated,
		d.put(t, "s", "j", `{"task":"join","stderr":"join","job":{}}`).status)
	st = d.end(t, "j")
	require.Equal(t, "abc", string(st.Outcome.Stdout))
	require.Empty(t, st.Outcome.Stderr)
	require.Equal(t, http.StatusCreated,
		d.put(t, "s", "o", `{"task":"drop","stdout":"drop","job":{}}`).status)
	require.Zero(t, d.end(t, "o").Stdout)
}

// An output that could not be kept whole is a failure, though nobody looked at what Write
// returned (E6).
func TestOutputThatCannotBeKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := boot(t, agent.Config{Dir: dir, Executor: executor.RunFunc(
		func(_ context.Context, at *executor.Attempt) (executor.Result, error) {
			_, _ = io.WriteString(at.Stdout, "begin ")
			_, _ = io.WriteString(at.Stdout, strings.Repeat("x", 2*wire.MaxInline))
			_, _ = io.WriteString(at.Stdout, "end")
			return executor.Result{}, nil
		})})
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "outputs")))
	require.Equal(t, http.StatusCreated, d.put(t, "s", "k", `{"job":{}}`).status)
	st := d.end(t, "k")
	require.NotNil(t, st.Outcome.Failure)
	require.Contains(t, st.Outcome.Failure.Text, "outputs")
	require.LessOrEqual(t, st.Stdout, int64(len("begin ")))
}

// A verbose executor says more than anybody wants to know.
type verbose struct{}

var veryLong = strings.Repeat("x", 2*wire.MaxLine)

func (verbose) Validate(job dag.Job) error {
	if job.WorkDir != "" {
		return errors.New(veryLong)
	}
	return nil
}

func (verbose) Run(ctx context.Context, at *executor.Attempt) (executor.Result, error) {
	at.Report(executor.Status{Running: true, Ref: veryLong, Node: veryLong, Reason: veryLong})
	<-ctx.Done()
	return executor.Result{Node: veryLong, Signal: veryLong, Message: veryLong}, nil
}

// No line is longer than clients read, or one task would keep them from all others.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	d := boot(t, agent.Config{Executor: verbose{}})
	got := d.ask(t, "s", http.MethodPost, wire.PathTasks, `{"key":"a","job":{"workDir":"/"}}`+"\n")
	require.Equal(t, http.StatusOK, got.status)
	require.Less(t, len(got.body), wire.MaxLine)
	require.Equal(t, http.StatusCreated, d.put(t, "s", "b", `{"job":{}}`).status)
	d.until(t, "b", isRunning)
	got = d.ask(t, "s", http.MethodGet, wire.PathTask+"b", "")
	require.Less(t, len(got.body), wire.MaxLine)
	got = d.ask(t, "s", http.MethodDelete, wire.PathTask+"b?wait=30s", "")
	require.Less(t, len(got.body), wire.MaxLine)
	require.NotNil(t, got.state(t).Outcome)
}

// A stream goes on where it was broken off, and tells only what is new.
func TestStreamsGoOn(t *testing.T) {
	t.Parallel()
	h := newHolder()
	d := boot(t, agent.Config{Executor: executor.RunFunc(h.run)})
	require.Equal(t, http.StatusCreated, d.put(t, "s", "a", `{"job":{}}`).status)
	require.Equal(t, http.StatusCreated, d.put(t, "s", "b", `{"job":{}}`).status)
	l := d.hear(t, "s", "")
	hello := l.next(t, func(e wire.Event) bool { return e.Hello != nil }).Hello
	l.next(t, isState("b", wire.Running))
	l.next(t, func(e wire.Event) bool { return e.Capacity != nil })
	close(h.gate("a"))
	rev := l.next(t, isState("a", wire.Ended)).State.Rev
	l.stop()
	close(h.gate("b"))
	d.end(t, "b")
	l = d.hear(t, "s", fmt.Sprintf("?after=%d&start=%s", rev, hello.Start))
	first := l.next(t, func(e wire.Event) bool { return e.State != nil })
	require.Equal(t, "b", first.State.Key)
	require.Equal(t, wire.Ended, first.State.State)
	l.stop()
	l = d.hear(t, "s", fmt.Sprintf("?after=%d&start=other", rev))
	require.Equal(t, "a", l.next(t, func(e wire.Event) bool { return e.State != nil }).State.Key)
}

// An engine that goes on takes its attempts over; the one before is told.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	h := newHolder()
	d := boot(t, agent.Config{Executor: executor.RunFunc(h.run)})
	require.Equal(t, http.StatusCreated, d.put(t, "old", "k", `{"job":{}}`).status)
	before := d.hear(t, "old", "")
	before.next(t, isState("k", wire.Running))
	// A request of the old engine that arrives late changes nothing.
	require.Equal(t, http.StatusOK, d.put(t, "late", "k", `{"job":{}}`).status)
	require.Equal(t, http.StatusOK, d.put(t, "new", "k", `{"job":{},"resumed":true}`).status)
	before.next(t, isState("k", wire.Moved))
	after := d.hear(t, "new", "")
	after.next(t, isState("k", wire.Running))
	var renewed wire.Renewed
	got := d.ask(t, "old", http.MethodPost, wire.PathRenew, `{"keys":["k"]}`)
	require.NoError(t, json.Unmarshal(got.body, &renewed))
	require.Equal(t, []string{"k"}, renewed.Missing)
	close(h.gate("k"))
	after.next(t, isState("k", wire.Ended))
	require.Equal(t, 1, h.started("k"))
}

// What could not be started gives its key back (E4).
func TestNotStarted(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	d := boot(t, agent.Config{Executor: executor.RunFunc(
		func(context.Context, *executor.Attempt) (executor.Result, error) {
			if calls.Add(1) == 1 {
				return executor.Result{}, &executor.NotStartedError{
					RetryAfter: time.Second, Err: errors.New("no descriptors"),
				}
			}
			return executor.Result{}, nil
		})})
	require.Equal(t, http.StatusCreated, d.put(t, "s", "k", `{"job":{}}`).status)
	st := d.end(t, "k")
	require.Equal(t, wire.NotStarted, st.State)
	require.Equal(t, time.Second, st.RetryAfter)
	require.Equal(t, "no descriptors", st.Reason)
	require.Equal(t, http.StatusCreated, d.put(t, "s", "k", `{"job":{}}`).status)
	require.Equal(t, wire.Ended, d.end(t, "k").State)
}

func TestPanics(t *testing.T) { // R4
	t.Parallel()
	d := boot(t, agent.Config{Executor: executor.RunFunc(
		func(_ context.Context, at *executor.Attempt) (executor.Result, error) {
			if at.Task == "exit" {
				runtime.Goexit()
			}
			panic("boom")
		})})
	for _, task := range []string{"panic", "exit"} {
		got := d.put(t, "s", task, `{"task":"`+task+`","job":{}}`)
		require.Equal(t, http.StatusCreated, got.status)
		f := d.end(t, task).Outcome.Failure
		require.Equal(t, wire.Panicked, f.Class)
		require.NotEmpty(t, f.Stack)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	h := newHolder()
	d := boot(t, agent.Config{Executor: executor.RunFunc(h.run)})
	require.Equal(t, http.StatusCreated, d.put(t, "s", "k", `{"job":{}}`).status)
	l := d.hear(t, "s", "")
	for _, body := range []string{"x", "[]", `{"until":"noon"}`} {
		got := d.ask(t, "", http.MethodPost, wire.PathDrain, body)
		require.Equal(t, http.StatusBadRequest, got.status, body)
		require.Equal(t, wire.CodeMalformed, got.problem(t).Code)
	}
	require.Equal(t, http.StatusCreated, d.put(t, "s", "j", `{"job":{}}`).status)
	require.Equal(t, http.StatusOK, d.ask(t, "", http.MethodPost, wire.PathDrain, "{}").status)
	l.next(t, func(e wire.Event) bool { return e.Capacity != nil && e.Capacity.Draining })
	got := d.put(t, "s", "x", `{"job":{}}`)
	require.Equal(t, http.StatusTooManyRequests, got.status)
	require.Equal(t, wire.CodeDraining, got.problem(t).Code)
	require.Equal(t, http.StatusOK, d.put(t, "s", "k", `{"job":{}}`).status)
	close(h.gate("k"))
	close(h.gate("j"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, d.Drain(ctx))
	require.Equal(t, wire.Ended, d.end(t, "k").State)
}

// What is acknowledged is gone, except that its key was used.
func TestAcknowledge(t *testing.T) {
	t.Parallel()
	h := newHolder()
	d := boot(t, agent.Config{Executor: executor.RunFunc(h.run)})
	require.Equal(t, http.StatusCreated, d.put(t, "s", "a-0-0-1", `{"job":{}}`).status)
	require.Equal(t, http.StatusCreated, d.put(t, "s", "a-0-1-1", `{"job":{}}`).status)
	close(h.gate("a-0-0-1"))
	d.end(t, "a-0-0-1")
	got := d.ask(t, "s", http.MethodPost, wire.PathAck,
		`{"keys":["a-0-0-1","a-0-1-1","a-0-2-1"]}`)
	require.JSONEq(t, `{"open":["a-0-1-1"]}`, string(got.body))
	for _, key := range []string{"a-0-0-1", "a-0-2-1"} {
		require.Equal(t, http.StatusGone, d.put(t, "s", key, `{"job":{}}`).status)
		require.Equal(t, wire.Closed, d.end(t, key).State)
	}
	require.Equal(t, http.StatusOK, d.put(t, "s", "a-0-1-1", `{"job":{}}`).status)
	close(h.gate("a-0-1-1"))
	d.end(t, "a-0-1-1")
}

func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	tokens := guardtest.Tokens()
	a, err := agent.New(t.Context(), agent.Config{
		Ephemeral: true, Executor: executor.RunFunc(nothing),
		Auth: agent.Auth{TokenFile: guardtest.TokenFile(t, tokens)},
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, a.Shutdown(context.Background())) }()
	guardtest.Run(t, guardtest.Config{Handler: a, Routes: a.Guard().Routes(), Tokens: tokens})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := agent.New(t.Context(), agent.Config{
		MaxOpen: -1, Capacity: capacity.Resources{dag.Cores: -1},
	})
	require.ErrorContains(t, err, "Config.Dir")
	require.ErrorContains(t, err, "Config.MaxOpen")
	require.ErrorContains(t, err, "Config.Capacity")
	dir := t.TempDir()
	boot(t, agent.Config{Dir: dir, Executor: executor.RunFunc(nothing)})
	_, err = agent.New(t.Context(), agent.Config{Dir: dir, Executor: executor.RunFunc(nothing)})
	require.ErrorIs(t, err, statelog.ErrActive)
}

// Who hears that an attempt has ended has room for another: what it had is given back
// before that is told.
func TestRoomComesBeforeTheEnd(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"ended": nil, "not started": &executor.NotStartedError{Err: errors.New("x")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := boot(t, agent.Config{Executor: executor.RunFunc(
				func(context.Context, *executor.Attempt) (executor.Result, error) {
					return executor.Result{}, err
				})})
			states := make(chan string, 1)
			stop := d.Allocator().Notify(func() {
				states <- d.ask(t, "", http.MethodGet, wire.PathTask+"k", "").state(t).State
			})
			defer stop()
			require.Equal(t, http.StatusCreated, d.put(t, "s", "k", `{"job":{}}`).status)
			require.Equal(t, wire.Accepted, <-states)
		})
	}
}

// What a request is not looked at for is answered although its body goes on: one that
// names another journal, another version of the protocol, or no session.
func TestUnlookedAt(t *testing.T) {
	t.Parallel()
	for name, ephemeral := range map[string]bool{"journal": false, "none": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHolder()
			d := boot(t, agent.Config{Executor: executor.RunFunc(h.run), Ephemeral: ephemeral})
			for _, r := range d.Guard().Routes() {
				got := d.goOn(t, r, http.Header{wire.HeaderJournal: {"another"}})
				require.Equal(t, http.StatusPreconditionFailed, got.status, r.Pattern)
				require.Equal(t, wire.CodeElsewhere, got.problem(t).Code)
				got = d.goOn(t, r, http.Header{wire.HeaderProtocol: {"2"}})
				require.Equal(t, http.StatusBadRequest, got.status, r.Pattern)
				require.Equal(t, wire.CodeProtocol, got.problem(t).Code)
				if r.Stream {
					got = d.goOn(t, r, http.Header{wire.HeaderSession: nil})
					require.Equal(t, http.StatusBadRequest, got.status, r.Pattern)
					require.Equal(t, wire.CodeSession, got.problem(t).Code)
				}
			}
			require.Equal(t, http.StatusCreated, d.put(t, "s", "k", `{"job":{}}`).status)
			close(h.gate("k"))
			d.end(t, "k")
			require.Equal(t, 1, h.started("k"))
		})
	}
}

// goOn makes a request of key k. If the route takes a body, that has no end.
func (d *daemon) goOn(t *testing.T, r httpguard.Route, headers http.Header) answer {
	t.Helper()
	method, path, _ := strings.Cut(r.Pattern, " ")
	path = strings.ReplaceAll(path, "{key}", "k")
	var body io.Reader
	if r.MaxBody > 0 || r.Stream {
		reader, writer := io.Pipe()
		defer func() { _ = writer.Close() }()
		body = io.MultiReader(strings.NewReader(`{"key":"k","job":{}}`+"\n"), reader)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, d.url+path, body)
	require.NoError(t, err)
	if body != nil {
		req.Header.Set("Content-Type", httpguard.JSON)
	}
	req.Header.Set(wire.HeaderSession, "s")
	maps.Copy(req.Header, headers)
	return d.do(t, req)
}
