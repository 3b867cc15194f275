package agent_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/agent"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

const leased = `{"leaseSeconds":3600,"job":{}}`

// At the end of its lease an attempt is stopped, and lost to all who ask.
func TestLeaseEnds(t *testing.T) {
	t.Parallel()
	h := newHolder()
	d := boot(t, agent.Config{Executor: executor.RunFunc(h.run)})
	require.Equal(t, http.StatusCreated,
		d.put(t, "s", "k", `{"leaseSeconds":0.05,"job":{}}`).status)
	st := d.end(t, "k")
	require.Equal(t, wire.StoppedLease, st.Outcome.Stopped)
	require.Equal(t, "SIGTERM", st.Outcome.Result.Signal)
	for _, session := range []string{"s", "other"} {
		got := d.put(t, session, "k", `{"leaseSeconds":0.05,"resumed":true,"job":{}}`)
		require.Equal(t, http.StatusGone, got.status)
		require.True(t, got.problem(t).Lost)
	}
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	h := newHolder()
	d := boot(t, agent.Config{Executor: executor.RunFunc(h.run)})
	require.Equal(t, http.StatusCreated, d.put(t, "s", "k", leased).status)
	require.Equal(t, http.StatusCreated, d.put(t, "other", "o", leased).status)
	before := agent.SinceBoot()
	require.Equal(t, http.StatusOK, d.ask(t, "s", http.MethodPost, wire.PathRenew, "{}").status)
	d.until(t, "k", isRunning)
	d.until(t, "o", isRunning)
	d.CheckLeases(before + time.Hour)
	require.Equal(t, wire.StoppedLease, d.end(t, "o").Outcome.Stopped)
	require.Equal(t, wire.Running, d.until(t, "k", isRunning).State)
	d.CheckLeases(agent.SinceBoot() + time.Hour)
	require.Equal(t, wire.StoppedLease, d.end(t, "k").Outcome.Stopped)
}

// A submission renews what the session has, also if it is refused: a client that submits
// something need not renew besides.
func TestRefusalsRenew(t *testing.T) {
	t.Parallel()
	const huge = `{"leaseSeconds":3600,"job":{"resources":{"cores":1001}}}`
	for name, refuse := range map[string]func(*daemon) answer{
		"one": func(d *daemon) answer { return d.put(t, "s", "huge", huge) },
		"many": func(d *daemon) answer {
			return d.ask(t, "s", http.MethodPost, wire.PathTasks, `{"key":"huge",`+huge[1:]+"\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHolder()
			d := boot(t, agent.Config{Executor: executor.RunFunc(h.run)})
			require.Equal(t, http.StatusCreated, d.put(t, "s", "k", leased).status)
			d.until(t, "k", isRunning)
			before := agent.SinceBoot()
			require.Contains(t, string(refuse(d).body), wire.CodeNever)
			d.CheckLeases(before + time.Hour)
			st := d.ask(t, "", http.MethodGet, wire.PathTask+"k", "").state(t)
			require.Equal(t, wire.Running, st.State)
			require.False(t, st.Stopping)
		})
	}
}

// When somebody was heard of before the machine was booted does not count afterwards, also
// if the daemon that found that out was killed.
func TestLeasesAfterABoot(t *testing.T) {
	t.Parallel()
	h := newHolder()
	dir := t.TempDir()
	d, disk := bootFragile(t, dir, patientExecutor{h})
	require.Equal(t, http.StatusCreated, d.put(t, "s", "before", leased).status)
	disk.booted.Store(true)
	require.NoError(t, d.Rotate())
	require.NoError(t, d.Shutdown(t.Context()))
	d, _ = bootFragile(t, dir, patientExecutor{h})
	require.Equal(t, http.StatusCreated, d.put(t, "s", "k", leased).status)
	d.until(t, "k", isRunning)
	require.NoError(t, d.Shutdown(t.Context()))
	d, _ = bootFragile(t, dir, patientExecutor{h})
	d.CheckLeases(agent.SinceBoot() + time.Hour)
	for _, key := range []string{"before", "k"} {
		require.Equal(t, wire.StoppedLease, d.end(t, key).Outcome.Stopped, key)
	}
}

// ticketed makes a request with a ticket, and returns the one that it gets.
func (d *daemon) ticketed(
	tb testing.TB, ticket, method, path, body string,
) (status int, code, next string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, d.url+path,
		strings.NewReader(body))
	require.NoError(tb, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(wire.HeaderSession, "s")
	req.Header.Set(wire.HeaderTicket, ticket)
	got := d.do(tb, req)
	if got.status >= 300 {
		code = got.problem(tb).Code
	}
	return got.status, code, got.header.Get(wire.HeaderTicket)
}

// A lease counts from the ticket, however late the request arrives; what comes later
// than a lease after it does nothing.
func TestTickets(t *testing.T) {
	t.Parallel()
	h := newHolder()
	d := boot(t, agent.Config{Executor: executor.RunFunc(h.run)})
	now := agent.SinceBoot()
	for name, ticket := range map[string]string{
		"old":        d.Ticket(now-2*time.Hour, ""),
		"other boot": d.Ticket(now, "other"),
		"future":     d.Ticket(now+time.Hour, ""),
		"nonsense":   "x",
	} {
		status, code, next := d.ticketed(t, ticket, http.MethodPut, wire.PathTask+"k", leased)
		require.Equal(t, http.StatusTooManyRequests, status, name)
		require.Equal(t, wire.CodeStale, code, name)
		require.NotEmpty(t, next, name)
	}
	require.Zero(t, h.started("k"))
	late := d.Ticket(now-30*time.Minute, "")
	status, _, _ := d.ticketed(t, late, http.MethodPut, wire.PathTask+"k", leased)
	require.Equal(t, http.StatusCreated, status)
	require.Equal(t, http.StatusCreated, d.put(t, "s2", "free", `{"job":{}}`).status)
	d.until(t, "k", isRunning)
	// Later tickets lengthen it, and earlier ones do not shorten it.
	newer := d.Ticket(now-20*time.Minute, "")
	d.ticketed(t, newer, http.MethodPost, wire.PathRenew, "{}")
	d.ticketed(t, late, http.MethodPost, wire.PathRenew, "{}")
	d.CheckLeases(now + 39*time.Minute)
	d.until(t, "k", isRunning)
	d.CheckLeases(now + 41*time.Minute)
	require.Equal(t, wire.StoppedLease, d.end(t, "k").Outcome.Stopped)
	d.CheckLeases(now + 1000*time.Hour)
	d.until(t, "free", isRunning)
}
