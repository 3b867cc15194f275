package agent_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/agent"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// FuzzRequests: whatever is sent, the daemon answers with JSON and a status that
// says what is wrong, and starts nothing that it has not taken.
func FuzzRequests(f *testing.F) {
	for _, seed := range []struct{ method, path, body string }{
		{"PUT", "/api/v1/task/k", `{"job":{}}`},
		{"POST", "/api/v1/tasks", `{"key":"a","job":{}}` + "\n" + `{"key":"b"` + "\n\n{}"},
		{"GET", "/api/v1/task/k?wait=1ms&after=1", ""},
		{"GET", "/api/v1/task/k/stdout", ""},
		{"DELETE", "/api/v1/task/k?cause=time", ""},
		{"POST", "/api/v1/ack", `{"keys":["k"]}`},
		{"POST", "/api/v1/renew", `{}`},
		{"POST", "/api/v1/drain", `x`},
		{"GET", "/api/v1/health", ""},
	} {
		f.Add(seed.method, seed.path, seed.body, "s", "1", "t.1", "bytes=0-")
	}
	f.Fuzz(func(t *testing.T, method, path, body, session, version, ticket, span string) {
		var starts atomic.Int64
		a, err := agent.New(t.Context(), agent.Config{
			Ephemeral: true, Dir: t.TempDir(), Auth: agent.Auth{InsecureLoopback: true},
			Capacity: capacity.Resources{dag.Cores: 10, dag.MemoryMB: 10},
			Executor: executor.RunFunc(
				func(context.Context, *executor.Attempt) (executor.Result, error) {
					starts.Add(1)
					return executor.Result{}, nil
				}),
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, a.Shutdown(context.Background())) }()
		req, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1/",
			strings.NewReader(body))
		if err != nil || strings.HasPrefix(path, wire.PathResults) {
			return // it cannot be sent, or goes on
		}
		if req.URL, err = req.URL.Parse(path); err != nil {
			return
		}
		req.RemoteAddr = "127.0.0.1:1"
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set(wire.HeaderSession, session)
		req.Header.Set(wire.HeaderProtocol, version)
		req.Header.Set(wire.HeaderTicket, ticket)
		req.Header.Set("Range", span)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, req)
		taken := int64(0)
		for line := range strings.Lines(w.Body.String()) {
			if answer, err := wire.ParseAnswer([]byte(line)); err == nil &&
				(answer.Status == http.StatusCreated || w.Code == http.StatusCreated) {
				taken++
			}
		}
		require.NoError(t, a.Drain(t.Context()))
		require.Equal(t, taken, starts.Load(), "%d %s", w.Code, w.Body)
		require.NotEqual(t, http.StatusInternalServerError, w.Code, w.Body)
	})
}

// FuzzOutputs: what a journal says of outputs is read, or refused, and reads the same
// when it is written again.
func FuzzOutputs(f *testing.F) {
	f.Add([]byte{0, 0})
	f.Add([]byte("\x01\x02ab\x02\xff\xff\x01"))
	f.Add([]byte("\x03\x02\x03\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := agent.ParseOutputs(b)
		if err != nil {
			return
		}
		third, err := agent.ParseOutputs(again)
		require.NoError(t, err)
		require.Equal(t, again, third)
	})
}
