package agent_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/agent"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// patience is how long a test waits for what has to happen.
const patience = 2 * time.Minute

// A daemon is an agent that a test talks to.
type daemon struct {
	*agent.Agent
	url string
}

// boot starts a daemon, which ends with the test.
func boot(tb testing.TB, c agent.Config) *daemon {
	tb.Helper()
	if c.Capacity == nil {
		c.Capacity = capacity.Resources{dag.Cores: 1000, dag.MemoryMB: 1000}
	}
	c.Node, c.Auth.InsecureLoopback = "node", true
	if c.Dir == "" && !c.Ephemeral {
		c.Dir = tb.TempDir()
	}
	a, err := agent.New(tb.Context(), c)
	require.NoError(tb, err)
	server := httptest.NewServer(a)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(tb, a.Shutdown(ctx))
		server.Close()
	})
	return &daemon{a, server.URL}
}

// An answer is what came of a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) state(tb testing.TB) wire.State {
	tb.Helper()
	st, err := wire.ParseState(a.body)
	require.NoError(tb, err, "%d %s", a.status, a.body)
	return st
}

func (a answer) problem(tb testing.TB) wire.Problem {
	tb.Helper()
	var p wire.Problem
	require.NoError(tb, json.Unmarshal(a.body, &p), "%s", a.body)
	return p
}

// ask makes a request as a session.
func (d *daemon) ask(tb testing.TB, session, method, path, body string) answer {
	tb.Helper()
	text := strings.NewReader(body)
	req, err := http.NewRequestWithContext(tb.Context(), method, d.url+path, text)
	require.NoError(tb, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set(wire.HeaderProtocol, "1")
	if session != "" {
		req.Header.Set(wire.HeaderSession, session)
	}
	return d.do(tb, req)
}

func (d *daemon) do(tb testing.TB, req *http.Request) answer {
	tb.Helper()
	resp, err := http.DefaultClient.Do(req)
	require.NoError(tb, err)
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	require.NoError(tb, err)
	return answer{resp.StatusCode, resp.Header, data}
}

// askAside makes a request while the test goes on. It yields the status, 0 if there was
// no answer.
func (d *daemon) askAside(tb testing.TB, method, path, body string) <-chan int {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, d.url+path,
		strings.NewReader(body))
	require.NoError(tb, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(wire.HeaderSession, "s")
	status := make(chan int, 1)
	go func() {
		defer close(status)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			status <- resp.StatusCode
			_ = resp.Body.Close()
		}
	}()
	return status
}

func (d *daemon) put(tb testing.TB, session, key, body string) answer {
	tb.Helper()
	return d.ask(tb, session, http.MethodPut, wire.PathTask+key, body)
}

// end waits for the end of an attempt.
func (d *daemon) end(tb testing.TB, key string) wire.State {
	tb.Helper()
	st := d.ask(tb, "", http.MethodGet, wire.PathTask+key+"?wait=30s", "").state(tb)
	require.NotEqual(tb, wire.Accepted, st.State)
	require.NotEqual(tb, wire.Running, st.State)
	return st
}

func nothing(context.Context, *executor.Attempt) (executor.Result, error) {
	return executor.Result{}, nil
}

// A holder is an executor whose attempts go on until the test lets them end, or they
// are stopped.
type holder struct {
	mu     sync.Mutex
	starts map[string]int
	gates  map[string]chan struct{}
	causes map[string]error
}

func newHolder() *holder {
	return &holder{
		starts: map[string]int{}, gates: map[string]chan struct{}{}, causes: map[string]error{},
	}
}

func (h *holder) gate(key string) chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gates[key] == nil {
		h.gates[key] = make(chan struct{})
	}
	return h.gates[key]
}

func (h *holder) run(ctx context.Context, at *executor.Attempt) (executor.Result, error) {
	h.mu.Lock()
	h.starts[at.Key]++
	h.mu.Unlock()
	at.Report(executor.Status{Running: true, Ref: "ref-" + at.Key})
	select {
	case <-h.gate(at.Key):
		return executor.Result{}, nil
	case <-ctx.Done():
		h.mu.Lock()
		defer h.mu.Unlock()
		h.causes[at.Key] = context.Cause(ctx)
		return executor.Result{ExitCode: -1, Signal: "SIGTERM"}, nil
	}
}

func (h *holder) started(key string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.starts[key]
}

// state asks for the state of a key until it is as wanted.
func (d *daemon) until(tb testing.TB, key string, wanted func(wire.State) bool) wire.State {
	tb.Helper()
	path := wire.PathTask + key
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	st := d.ask(tb, "", http.MethodGet, path, "").state(tb)
	for !wanted(st) {
		require.NoError(tb, ctx.Err(), "%+v", st)
		st = d.ask(tb, "", http.MethodGet,
			fmt.Sprintf("%s?wait=1s&after=%d", path, st.Rev), "").state(tb)
	}
	return st
}

func isRunning(st wire.State) bool { return st.State == wire.Running }

// A listening is a stream of results that a test reads.
type listening struct {
	events chan wire.Event
	stop   func()
}

// hear opens a stream of results.
func (d *daemon) hear(tb testing.TB, session, query string) *listening {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+wire.PathResults+query, nil)
	require.NoError(tb, err)
	req.Header.Set(wire.HeaderSession, session)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(tb, err)
	l := &listening{events: make(chan wire.Event, 1000)}
	var over sync.WaitGroup
	over.Go(func() {
		defer close(l.events)
		defer func() { _ = resp.Body.Close() }()
		for in := bufio.NewScanner(resp.Body); in.Scan(); {
			e, err := wire.ParseEvent(in.Bytes())
			if err != nil {
				panic(err)
			}
			select {
			case l.events <- e:
			case <-ctx.Done():
				return
			}
		}
	})
	l.stop = func() {
		cancel()
		over.Wait()
	}
	tb.Cleanup(l.stop)
	return l
}

// next returns the next event that is as wanted.
func (l *listening) next(tb testing.TB, wanted func(wire.Event) bool) wire.Event {
	tb.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e, ok := <-l.events:
			require.True(tb, ok, "the stream has ended")
			if wanted(e) {
				return e
			}
		case <-timeout:
			require.FailNow(tb, "nothing of the kind was told")
		}
	}
}

func isState(key, state string) func(wire.Event) bool {
	return func(e wire.Event) bool {
		return e.State != nil && e.State.Key == key && e.State.State == state
	}
}

// A patientExecutor says that it is durable, and takes jobs without a command.
type patientExecutor struct{ *holder }

func (patientExecutor) Validate(dag.Job) error { return nil }

func (p patientExecutor) Run(
	ctx context.Context, a *executor.Attempt,
) (executor.Result, error) {
	return p.run(ctx, a)
}
func (patientExecutor) Durable() bool                           { return true }
func (patientExecutor) Forget(context.Context, ...string) error { return nil }
