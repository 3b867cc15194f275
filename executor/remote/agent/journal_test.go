package agent_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/agent"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/statelog"
)

// A fragile store fails when it is told to.
type fragile struct {
	agent.Store
	full      atomic.Bool
	ambiguous atomic.Bool // once, and what it was given is there all the same
	slow      atomic.Pointer[chan struct{}]
	ahead     atomic.Bool // its clock, by an hour
	keepsOpen atomic.Bool // runs cannot be closed
	narrow    atomic.Bool // there is no room to begin anew
	begun     atomic.Int32
	booted    atomic.Bool // it is of a boot of the machine before this one, which was longer
}

func (f *fragile) Append(
	ctx context.Context, run string, after uint64, recs []statelog.Record,
) (uint64, error) {
	if slow := f.slow.Swap(nil); slow != nil {
		*slow <- struct{}{}
		<-*slow
	}
	if f.full.Load() {
		return 0, fmt.Errorf("write: %w", syscall.ENOSPC)
	}
	if recs[0].Kind == statelog.Opened && f.ahead.Load() {
		recs[0].Time = recs[0].Time.Add(time.Hour)
	}
	if recs[0].Kind == statelog.Opened {
		f.begun.Add(1)
		if f.narrow.Load() {
			return 0, fmt.Errorf("write: %w", syscall.ENOSPC)
		}
	}
	if recs[0].Kind == statelog.Closed && f.keepsOpen.Load() {
		return 0, fmt.Errorf("write: %w", syscall.ENOSPC)
	}
	for i := range recs {
		if f.booted.Load() && recs[i].Kind == statelog.Resumed {
			recs[i].Ref = "before"
		}
		if f.booted.Load() && !recs[i].Start.IsZero() {
			recs[i].Start = recs[i].Start.Add(100 * time.Hour)
		}
	}
	seq, err := f.Store.Append(ctx, run, after, recs)
	if err == nil && f.ambiguous.Swap(false) {
		return 0, statelog.ErrAmbiguous
	}
	return seq, err
}

// bootFragile is boot with a journal that can fail.
func bootFragile(t *testing.T, dir string, ex executor.Executor) (*daemon, *fragile) {
	t.Helper()
	f := &fragile{}
	a, err := agent.NewWithStore(t.Context(), agent.Config{
		Dir: dir, Executor: ex, Node: "node", Auth: agent.Auth{InsecureLoopback: true},
		Capacity: capacity.Resources{dag.Cores: 10, dag.MemoryMB: 1000},
	}, func(s agent.Store) agent.Store {
		f.Store = s
		return f
	})
	require.NoError(t, err)
	server := httptest.NewServer(a)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, a.Shutdown(ctx))
		server.Close()
	})
	return &daemon{a, server.URL}, f
}

// While the journal cannot be written nothing new starts, what runs goes on, and its
// outcome waits in memory.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	h := newHolder()
	dir := t.TempDir()
	d, disk := bootFragile(t, dir, executor.RunFunc(h.run))
	require.Equal(t, http.StatusCreated, d.put(t, "s", "a", `{"job":{}}`).status)
	d.until(t, "a", isRunning)
	l := d.hear(t, "s", "")
	disk.full.Store(true)
	for range 2 {
		got := d.put(t, "s", "b", `{"job":{}}`)
		require.Equal(t, http.StatusServiceUnavailable, got.status, "%s", got.body)
		require.Equal(t, wire.CodeJournal, got.problem(t).Code)
		require.NotEmpty(t, got.header.Get("Retry-After"))
	}
	l.next(t, func(e wire.Event) bool { return e.Capacity != nil && e.Capacity.Trouble != "" })
	lines := d.ask(t, "s", http.MethodPost, wire.PathTasks, `{"key":"b","job":{}}`+"\n")
	answer, err := wire.ParseAnswer(lines.body)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, answer.Status)
	require.Equal(t, http.StatusServiceUnavailable,
		d.ask(t, "s", http.MethodDelete, wire.PathTask+"unseen", "").status)
	close(h.gate("a"))
	l.next(t, isState("a", wire.Ended))
	got := d.ask(t, "", http.MethodGet, wire.PathTask+"b", "")
	require.Equal(t, http.StatusNotFound, got.status)
	disk.full.Store(false)
	l.next(t, func(e wire.Event) bool { return e.Capacity != nil && e.Capacity.Trouble == "" })
	require.Equal(t, http.StatusCreated, d.put(t, "s", "b", `{"job":{}}`).status)
	close(h.gate("b"))
	d.end(t, "b")
	require.NoError(t, d.Shutdown(t.Context()))
	d, _ = bootFragile(t, dir, executor.RunFunc(h.run))
	require.True(t, d.end(t, "a").Outcome.Result.OK())
	require.True(t, d.end(t, "b").Outcome.Result.OK())
	require.Equal(t, 1, h.started("a"))
	require.Equal(t, 1, h.started("b"))
}

// What is on its way to the disk when the daemon ends is not started.
func TestShutdownBeforeTheStart(t *testing.T) {
	t.Parallel()
	h := newHolder()
	dir := t.TempDir()
	d, disk := bootFragile(t, dir, executor.RunFunc(h.run))
	slow := make(chan struct{})
	disk.slow.Store(&slow)
	var put sync.WaitGroup
	put.Go(func() {
		st := d.put(t, "s", "a", `{"job":{}}`).state(t)
		require.Equal(t, wire.NotStarted, st.State)
	})
	<-slow
	over := make(chan error, 1)
	put.Go(func() { over <- d.Shutdown(context.Background()) })
	require.ErrorContains(t, d.Drain(t.Context()), "ends")
	require.Equal(t, wire.CodeEnding, d.put(t, "s", "b", `{"job":{}}`).problem(t).Code)
	slow <- struct{}{}
	require.NoError(t, <-over)
	put.Wait()
	require.Zero(t, h.started("a"))
	d, _ = bootFragile(t, dir, patientExecutor{h})
	require.Less(t, d.put(t, "s", "a", `{"job":{},"resumed":true}`).status, 300)
	close(h.gate("a"))
	d.end(t, "a")
	require.Equal(t, 1, h.started("a"))
}

// A claim of which nobody knows whether it is on the disk is withdrawn.
func TestAmbiguousJournal(t *testing.T) {
	t.Parallel()
	h := newHolder()
	dir := t.TempDir()
	d, disk := bootFragile(t, dir, executor.RunFunc(h.run))
	disk.ambiguous.Store(true)
	got := d.put(t, "s", "a", `{"job":{}}`)
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.Zero(t, h.started("a"))
	deadline := time.Now().Add(patience)
	for got.status != http.StatusCreated {
		require.True(t, time.Now().Before(deadline))
		got = d.put(t, "s", "a", `{"job":{"workDir":"/other"}}`)
	}
	close(h.gate("a"))
	d.end(t, "a")
	require.NoError(t, d.Shutdown(t.Context()))
	d, _ = bootFragile(t, dir, executor.RunFunc(h.run))
	require.True(t, d.end(t, "a").Outcome.Result.OK())
	require.Equal(t, http.StatusConflict, d.put(t, "s", "a", `{"job":{}}`).status)
}

// A key that is closed while its claim is on its way to a disk that turns out to be full
// stays closed, also when the daemon is another.
func TestCloseOfAClaimThatFails(t *testing.T) {
	t.Parallel()
	for _, ambiguous := range []bool{false, true} {
		h := newHolder()
		dir := t.TempDir()
		d, disk := bootFragile(t, dir, executor.RunFunc(h.run))
		slow := make(chan struct{})
		disk.slow.Store(&slow)
		put := d.askAside(t, http.MethodPut, wire.PathTask+"k", `{"job":{}}`)
		<-slow
		closed := d.askAside(t, http.MethodDelete, wire.PathTask+"k?wait=30s", "")
		d.until(t, "k", func(st wire.State) bool { return st.Stopping })
		if ambiguous {
			disk.ambiguous.Store(true)
		} else {
			disk.full.Store(true)
		}
		slow <- struct{}{}
		require.Equal(t, http.StatusServiceUnavailable, <-put)
		if !ambiguous {
			require.Equal(t, http.StatusServiceUnavailable, <-closed,
				"it is not on the disk")
			disk.full.Store(false)
		}
		again := d.ask(t, "s", http.MethodDelete, wire.PathTask+"k?wait=30s", "")
		for again.status == http.StatusServiceUnavailable {
			again = d.ask(t, "s", http.MethodDelete, wire.PathTask+"k?wait=30s", "")
		}
		require.Equal(t, wire.Closed, again.state(t).State)
		require.Equal(t, http.StatusGone, d.put(t, "s", "k", `{"job":{}}`).status)
		require.NoError(t, d.Shutdown(t.Context()))
		d, _ = bootFragile(t, dir, executor.RunFunc(h.run))
		require.Equal(t, http.StatusGone, d.put(t, "s", "k", `{"job":{}}`).status)
		require.Zero(t, h.started("k"))
	}
}

// A journal that was begun anew when the clock of the machine had been put back is still
// the newer one.
func TestRotationAfterAStepOfTheClock(t *testing.T) {
	t.Parallel()
	h := newHolder()
	dir := t.TempDir()
	d, disk := bootFragile(t, dir, executor.RunFunc(h.run))
	disk.ahead.Store(true)
	require.NoError(t, d.Rotate())
	require.NoError(t, d.Shutdown(t.Context()))
	d, disk = bootFragile(t, dir, executor.RunFunc(h.run))
	disk.keepsOpen.Store(true)
	require.Error(t, d.Rotate(), "the one before could not be closed")
	require.Equal(t, http.StatusCreated, d.put(t, "s", "k", `{"job":{}}`).status)
	close(h.gate("k"))
	d.end(t, "k")
	require.NoError(t, d.Shutdown(t.Context()))
	d, _ = bootFragile(t, dir, executor.RunFunc(h.run))
	require.Equal(t, http.StatusOK, d.put(t, "s", "k", `{"job":{}}`).status)
	require.Equal(t, 1, h.started("k"))
}

// A journal that cannot be begun anew, for want of room, is not tried again with each
// flight: that takes as long as everything that is known is long.
func TestRotationWithoutRoom(t *testing.T) {
	t.Parallel()
	d, disk := bootFragile(t, t.TempDir(), executor.RunFunc(nothing))
	use := func(from, to int) {
		for i := from; i < to; i++ {
			key := fmt.Sprintf("r-0-%d-1", i)
			require.Equal(t, http.StatusCreated, d.put(t, "s", key, `{"job":{}}`).status)
			d.end(t, key)
			keys := fmt.Sprintf(`{"keys":[%q,"x-%d"]}`, key, i)
			got := d.ask(t, "s", http.MethodPost, wire.PathAck, keys)
			require.Equal(t, http.StatusOK, got.status)
			d.Renew()
		}
	}
	before := disk.begun.Load()
	disk.narrow.Store(true)
	const least = 30 // acknowledgements until most is of no use
	use(0, least)
	require.Positive(t, disk.begun.Load()-before)
	require.Less(t, disk.begun.Load()-before, int32(5))
	disk.narrow.Store(false)
	for i := least; d.Records() > least; i++ {
		require.Less(t, i, 10*least)
		use(i, i+1)
	}
}

// A journal that was begun anew says the same.
func TestRotation(t *testing.T) {
	t.Parallel()
	h := newHolder()
	dir := t.TempDir()
	d, _ := bootFragile(t, dir, patientExecutor{h})
	for _, key := range []string{
		"r-0-0-1", "r-0-1-1", "r-0-2-1", "ended", "odd", "open", "stopped",
	} {
		require.Equal(t, http.StatusCreated, d.put(t, "s", key, leased).status)
		if key != "open" && key != "stopped" {
			close(h.gate(key))
			d.end(t, key)
		}
	}
	d.ask(t, "s", http.MethodDelete, wire.PathTask+"stopped?wait=30s", "")
	acked := `{"keys":["r-0-0-1","r-0-1-1","odd"]}`
	require.Equal(t, http.StatusOK, d.ask(t, "s", http.MethodPost, wire.PathAck, acked).status)
	require.NoError(t, d.Rotate())
	require.NoError(t, d.Rotate())
	const other = `{"job":{"workDir":"/other"}}`
	check := func() {
		for _, key := range []string{"r-0-0-1", "r-0-1-1", "odd"} {
			require.Equal(t, http.StatusGone, d.put(t, "s", key, leased).status, key)
		}
		for _, key := range []string{"r-0-2-1", "ended"} {
			require.True(t, d.end(t, key).Outcome.Result.OK(), key)
			require.Equal(t, http.StatusOK, d.put(t, "s", key, leased).status)
			require.Equal(t, http.StatusConflict, d.put(t, "s", key, other).status)
		}
		require.Equal(t, wire.StoppedClosed, d.end(t, "stopped").Outcome.Stopped)
		require.Equal(t, http.StatusGone, d.put(t, "s2", "stopped", leased).status)
	}
	check()
	require.NoError(t, d.Shutdown(t.Context()))
	d, _ = bootFragile(t, dir, patientExecutor{h})
	check()
	require.Equal(t, http.StatusOK, d.put(t, "s", "open", leased).status)
	close(h.gate("open"))
	d.end(t, "open")
	require.Equal(t, 1, h.started("ended"))
}

// What has ended just now is kept however much it is, so that there is time to fetch it.
func TestTheLastIsNotEvicted(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2*wire.MaxInline)
	d := boot(t, agent.Config{RetainBytes: 1, Executor: executor.RunFunc(
		func(_ context.Context, at *executor.Attempt) (executor.Result, error) {
			_, err := at.Stdout.Write([]byte(long))
			return executor.Result{}, err
		})})
	for _, key := range []string{"a", "b"} {
		require.Equal(t, http.StatusCreated, d.put(t, "s", key, `{"job":{}}`).status)
		require.False(t, d.end(t, key).Outcome.Gone)
		got := d.ask(t, "", http.MethodGet, wire.PathTask+key+"/stdout", "")
		require.Equal(t, long, string(got.body))
	}
	require.True(t, d.end(t, "a").Outcome.Gone)
}

// Nor is it when the daemon is another, and what ended before it sorts after it.
func TestTheLastIsNotEvictedByARestart(t *testing.T) {
	t.Parallel()
	c := agent.Config{Dir: t.TempDir(), RetainBytes: 1, Executor: executor.RunFunc(
		func(_ context.Context, at *executor.Attempt) (executor.Result, error) {
			_, err := at.Stdout.Write([]byte("x" + at.Key))
			return executor.Result{}, err
		})}
	d := boot(t, c)
	for _, key := range []string{"b", "a"} {
		require.Equal(t, http.StatusCreated, d.put(t, "s", key, `{"job":{}}`).status)
		d.end(t, key)
	}
	require.NoError(t, d.Shutdown(t.Context()))
	d = boot(t, c)
	require.True(t, d.end(t, "b").Outcome.Gone)
	require.Equal(t, "xa", string(d.end(t, "a").Outcome.Stdout))
}

// What nobody acknowledges goes when it is too old or too much; its exit code stays.
func TestEviction(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := strings.Repeat("x", 2*wire.MaxInline)
	c := agent.Config{
		Dir: dir, RetainBytes: 5 * wire.MaxInline, RetainAge: time.Hour,
		Executor: executor.RunFunc(
			func(_ context.Context, at *executor.Attempt) (executor.Result, error) {
				_, err := at.Stdout.Write([]byte(long))
				return executor.Result{ExitCode: 3}, err
			}),
	}
	d := boot(t, c)
	for _, key := range []string{"a", "b", "c"} {
		require.Equal(t, http.StatusCreated, d.put(t, "s", key, `{"job":{}}`).status)
		d.end(t, key)
	}
	gone := func(key string) bool {
		st := d.end(t, key)
		require.Equal(t, 3, st.Outcome.Result.ExitCode)
		got := d.ask(t, "", http.MethodGet, wire.PathTask+key+"/stdout", "")
		require.Equal(t, st.Outcome.Gone, got.status == http.StatusGone)
		return st.Outcome.Gone
	}
	require.True(t, gone("a"))
	require.False(t, gone("b"))
	require.False(t, gone("c"))
	d.Evict(time.Now().Add(2 * time.Hour))
	require.True(t, gone("c"))
	require.Equal(t, http.StatusOK, d.put(t, "s", "a", `{"job":{}}`).status)
	require.NoError(t, d.Shutdown(t.Context()))
	left, err := filepath.Glob(filepath.Join(dir, "outputs", "*"))
	require.NoError(t, err)
	require.Empty(t, left)
	d = boot(t, c)
	require.True(t, gone("a"))
	require.True(t, gone("b"))
	require.NoError(t, d.Rotate())
	require.NoError(t, d.Shutdown(t.Context()))
	d = boot(t, c)
	require.True(t, gone("a"), "also in a journal that was begun anew")
}

// The hash is in journals, so it must never change.
func TestHashStaysTheSame(t *testing.T) {
	t.Parallel()
	sub := &wire.Submission{
		Key: "k", Run: "r", Task: "t", Instance: "t_1", Number: 1,
		Job: dag.Job{
			Command: []string{"a", "b"}, Environment: []string{"A=b"}, TimeLimit: time.Minute,
			Resources: dag.Resources{dag.Cores: 1, "x": 2}, Options: map[string]any{"o": true},
		},
	}
	want, err := agent.Hash("salt", sub)
	require.NoError(t, err)
	require.Equal(t, "263d93ec89afcd96860e269484340fe3", want)
	other := *sub
	other.Node, other.Resumed, other.Lease, other.Stderr = "n", true, time.Hour, wire.Join
	got, err := agent.Hash("salt", &other)
	require.NoError(t, err)
	require.Equal(t, want, got)
	other.Number = 2
	got, err = agent.Hash("salt", &other)
	require.NoError(t, err)
	require.NotEqual(t, want, got)
}
