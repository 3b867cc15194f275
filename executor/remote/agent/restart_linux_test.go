package agent_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/agent"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// A site is a directory of daemons that come after one another, and of marks that
// tasks write: a line for each start, with the key.
type site struct {
	dir   string
	marks string
	id    string
}

// key makes a key that no other test has: processes are found by theirs.
func (s site) key(name string) string { return s.id + "-" + name }

func newSite(tb testing.TB) site {
	tb.Helper()
	base := tb.TempDir()
	s := site{
		filepath.Join(base, "state"), filepath.Join(base, "marks"), strings.ToLower(rand.Text()),
	}
	tb.Cleanup(func() { require.NoError(tb, helperproc.AwaitSupervisor(s.dir)) })
	return s
}

// job marks that it was started and ends when the file "go" beside the marks is there,
// or at once.
func (s site) job(wait bool) string {
	words := helperproc.Command("mark", s.marks, s.gate(wait))
	text, _ := json.Marshal(words)
	return `{"command":` + string(text) + `,"environment":["SECRET=dont-write-me-down"]}`
}

func (s site) gate(wait bool) string {
	if !wait {
		return ""
	}
	return s.marks + ".go"
}

func (s site) open(tb testing.TB) {
	tb.Helper()
	require.NoError(tb, os.WriteFile(s.gate(true), nil, 0o600))
}

// starts counts the marks.
func (s site) starts(tb testing.TB) map[string]int {
	tb.Helper()
	text, err := os.ReadFile(s.marks)
	if !os.IsNotExist(err) {
		require.NoError(tb, err)
	}
	n := map[string]int{}
	for key := range strings.FieldsSeq(string(text)) {
		n[key]++
	}
	return n
}

// A daemon that was killed with -9 is followed by one that finds what runs, by the
// key alone, and what has ended.
func TestKilledDaemon(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := role{Dir: s.dir, Cores: 4}
	quickKey, slowKey := s.key("quick"), s.key("slow")
	d := spawnDaemon(t, r)
	quick := `{"run":"r","task":"t","job":` + s.job(false) + `}`
	slow := `{"run":"r","task":"t","job":` + s.job(true) + `}`
	require.Equal(t, http.StatusCreated, d.put(t, "s", quickKey, quick).status)
	require.Equal(t, "done "+quickKey, string(d.end(t, quickKey).Outcome.Stdout))
	require.Equal(t, http.StatusCreated, d.put(t, "s", slowKey, slow).status)
	d.until(t, slowKey, isRunning)
	health := d.ask(t, "", http.MethodGet, wire.PathHealth, "")
	d.kill()

	d = spawnDaemon(t, r)
	var before, after wire.Health
	require.NoError(t, json.Unmarshal(health.body, &before))
	health2 := d.ask(t, "", http.MethodGet, wire.PathHealth, "")
	require.NoError(t, json.Unmarshal(health2.body, &after))
	require.Equal(t, before.Journal, after.Journal)
	require.Equal(t, before.Boot, after.Boot)
	require.NotEqual(t, before.Start, after.Start)
	require.True(t, after.Durable)
	require.Equal(t, 1, after.Open)
	require.Equal(t, int64(3), after.Capacity.Free["cores"], "what runs is counted")
	// The outcome may not have been on the disk; then fork says it again.
	require.Equal(t, "done "+quickKey, string(d.end(t, quickKey).Outcome.Stdout))
	d.until(t, slowKey, isRunning)
	other := strings.Replace(slow, `"task":"t"`, `"task":"u"`, 1)
	require.Equal(t, http.StatusConflict, d.put(t, "s", slowKey, other).status)
	again := `{"resumed":true,` + slow[1:]
	require.Equal(t, http.StatusOK, d.put(t, "new", slowKey, again).status)
	s.open(t)
	require.Equal(t, "done "+slowKey, string(d.end(t, slowKey).Outcome.Stdout))
	require.Equal(t, map[string]int{quickKey: 1, slowKey: 1}, s.starts(t))
	d.ask(t, "new", http.MethodPost, wire.PathAck, `{"keys":["`+quickKey+`","`+slowKey+`"]}`)
	d.stop(t)

	d = spawnDaemon(t, r)
	require.Equal(t, http.StatusGone, d.put(t, "s", slowKey, again).status)
	require.Equal(t, map[string]int{quickKey: 1, slowKey: 1}, s.starts(t))
	requireNoSecret(t, s.dir)
}

// requireNoSecret looks for the environment of jobs in all files.
func requireNoSecret(tb testing.TB, dir string) {
	tb.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil {
			require.NotContains(tb, string(data), "dont-write-me-down", path)
		}
		return err
	})
	require.NoError(tb, err)
}

// TestDeathAtEveryAppend kills the daemon before and after each append to its
// journal, and has everything submitted again. Each task starts once.
func TestDeathAtEveryAppend(t *testing.T) {
	t.Parallel()
	const tasks, appends = 3, 7
	for n := int64(2); n <= appends; n++ {
		for _, before := range []bool{true, false} {
			t.Run(fmt.Sprintf("append=%d/before=%v", n, before), func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				d := spawnDaemon(t, role{Dir: s.dir, Cores: 4, DieAt: n, Before: before})
				d.submitAll(t, s, tasks, false)
				d.kill()
				d = spawnDaemon(t, role{Dir: s.dir, Cores: 4})
				d.submitAll(t, s, tasks, true)
				d.requireAllOnce(t, s, tasks)
			})
		}
	}
}

// submitAll submits tasks whatever comes of it, and acknowledges the first.
func (c *child) submitAll(tb testing.TB, s site, tasks int, resumed bool) {
	tb.Helper()
	for i := range tasks {
		key := s.key(fmt.Sprintf("0-%d-1", i))
		body := fmt.Sprintf(`{"run":"r","task":"t","resumed":%v,"job":%s}`, resumed, s.job(false))
		if !c.try(http.MethodPut, wire.PathTask+key, body) {
			return
		}
		if !c.try(http.MethodGet, wire.PathTask+key+"?wait=30s", "") {
			return
		}
	}
	c.try(http.MethodPost, wire.PathAck, `{"keys":["`+s.key("0-0-1")+`"]}`)
}

// try makes a request of a daemon that may die of it.
func (c *child) try(method, path, body string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, strings.NewReader(body))
	if err != nil {
		return false
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set(wire.HeaderSession, "s")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil
}

func (c *child) requireAllOnce(tb testing.TB, s site, tasks int) {
	tb.Helper()
	want := map[string]int{}
	for i := range tasks {
		key := s.key(fmt.Sprintf("0-%d-1", i))
		want[key] = 1
		st := c.end(tb, key)
		if st.State == wire.Closed {
			continue // it was acknowledged
		}
		require.Nil(tb, st.Outcome.Failure, key)
		require.True(tb, st.Outcome.Result.OK(), key)
		require.Equal(tb, "done "+key, string(st.Outcome.Stdout))
	}
	require.Equal(tb, want, s.starts(tb))
}

// TestDeathAtAnyTime kills the daemon at random times under many submissions.
func TestDeathAtAnyTime(t *testing.T) {
	t.Parallel()
	const tasks, deaths = 60, 5
	s := newSite(t)
	var d *child
	for round := range deaths {
		d = spawnDaemon(t, role{Dir: s.dir, Cores: 4})
		killed := make(chan struct{})
		time.AfterFunc(time.Duration(30+40*round)*time.Millisecond, func() {
			_ = d.cmd.Process.Kill()
			close(killed)
		})
		for i := 0; i < tasks; i++ {
			body := fmt.Sprintf(`{"resumed":%v,"job":%s}`, round > 0, s.job(false))
			if !d.try(http.MethodPut, wire.PathTask+s.key(fmt.Sprintf("0-%d-1", i)), body) {
				break
			}
		}
		<-killed
		d.kill()
	}
	d = spawnDaemon(t, role{Dir: s.dir, Cores: 4})
	deadline := time.Now().Add(patience)
	for i := range tasks {
		key := s.key(fmt.Sprintf("0-%d-1", i))
		got := d.put(t, "s", key, `{"resumed":true,"job":`+s.job(false)+`}`)
		for got.status == http.StatusTooManyRequests {
			require.True(t, time.Now().Before(deadline))
			<-time.After(10 * time.Millisecond)
			got = d.put(t, "s", key, `{"resumed":true,"job":`+s.job(false)+`}`)
		}
		require.Less(t, got.status, 300, "%s", got.body)
	}
	d.requireAllOnce(t, s, tasks)
}

// What an executor does that is not durable is lost with the daemon; what had ended
// is kept, with output that is in a file.
func TestRestartWithoutDurability(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := newHolder()
	long := strings.Repeat("x", 2*wire.MaxInline)
	c := agent.Config{Dir: dir, Executor: executor.RunFunc(
		func(ctx context.Context, at *executor.Attempt) (executor.Result, error) {
			if at.Task == "print" {
				_, err := at.Stdout.Write([]byte(long))
				return executor.Result{}, err
			}
			return h.run(ctx, at)
		})}
	d := boot(t, c)
	require.Equal(t, http.StatusCreated, d.put(t, "s", "p", `{"task":"print","job":{}}`).status)
	d.end(t, "p")
	require.Equal(t, http.StatusCreated, d.put(t, "s", "h", `{"job":{}}`).status)
	d.until(t, "h", isRunning)
	require.NoError(t, d.Shutdown(t.Context()))
	d = boot(t, c)
	st := d.end(t, "h")
	require.Equal(t, wire.StoppedShutdown, st.Outcome.Stopped)
	require.Equal(t, http.StatusGone, d.put(t, "s2", "h", `{"job":{}}`).status)
	got := d.ask(t, "", http.MethodGet, wire.PathTask+"p/stdout", "")
	require.Equal(t, long, string(got.body))
	require.Equal(t, 1, h.started("h"))
}

// Attempts of a durable executor that cannot attach by the key alone wait to be
// submitted again.
func TestRestartByJob(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := newHolder()
	c := agent.Config{Dir: dir, Executor: patientExecutor{h}}
	d := boot(t, c)
	require.Equal(t, http.StatusCreated, d.put(t, "s", "a", `{"job":{}}`).status)
	require.Equal(t, http.StatusCreated, d.put(t, "s", "b", `{"job":{}}`).status)
	d.until(t, "a", isRunning)
	require.NoError(t, d.Shutdown(t.Context()))
	d = boot(t, c)
	st := d.ask(t, "", http.MethodGet, wire.PathTask+"a", "").state(t)
	require.Equal(t, wire.Accepted, st.State)
	require.Contains(t, st.Reason, "submitted again")
	require.Equal(t, http.StatusOK, d.put(t, "s", "a", `{"job":{},"resumed":true}`).status)
	close(h.gate("a"))
	require.Equal(t, wire.Ended, d.end(t, "a").State)
	got := d.ask(t, "s", http.MethodDelete, wire.PathTask+"b?wait=30s", "").state(t)
	require.Equal(t, wire.StoppedClosed, got.Outcome.Stopped)
}
