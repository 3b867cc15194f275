package redislog_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/expand"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/redislog"
)

// jsonModule gives a server the commands of the JSON module that are needed to
// keep whole documents. Keys that are in the way are refused until they have been
// once: the caller is to delete them then.
func jsonModule(t *testing.T, m *miniredis.Miniredis, inTheWay ...string) {
	t.Helper()
	var mu sync.Mutex
	documents := map[string]string{}
	set := func(c *server.Peer, _ string, args []string) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case len(args) != 3 || args[1] != "$":
			c.WriteError("ERR wrong arguments")
		case !json.Valid([]byte(args[2])):
			c.WriteError("ERR this is no JSON")
		case slices.Contains(inTheWay, args[0]):
			inTheWay = slices.DeleteFunc(inTheWay, func(key string) bool { return key == args[0] })
			c.WriteError("Existing key has wrong Redis type")
		default:
			documents[args[0]] = args[2]
			c.WriteOK()
		}
	}
	get := func(c *server.Peer, _ string, args []string) {
		mu.Lock()
		defer mu.Unlock()
		if document, ok := documents[args[0]]; ok {
			c.WriteBulk(document)
			return
		}
		c.WriteNull()
	}
	require.NoError(t, m.Server().Register("JSON.SET", set))
	require.NoError(t, m.Server().Register("JSON.GET", get))
}

var at = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

func seconds(n int) time.Time { return at.Add(time.Duration(n) * time.Second) }

// story is a run in which about everything happens.
func story() []statelog.Record {
	d := &dag.DAG{
		Tags:       map[string]string{"team": "blue"},
		Parameters: dag.Parameters{"DAY": dag.List("mon", "tue", "wed"), "ONE": dag.List("1")},
		Tasks: []dag.Task{
			{Name: "pull", Job: dag.Command("pull", "{{DAY}}"), MaxRetries: 1},
			{Name: "plan", Job: dag.Command("plan"), Generator: true},
			{Name: "report", Job: dag.Command("report"), Parents: []string{"pull"}},
			{Name: "all", Parents: []string{"report"}},
		},
	}
	attempt := func(kind statelog.Kind, task, instance, number, second int) statelog.Record {
		return statelog.Record{
			Kind: kind, Task: task, Instance: instance, Attempt: number, Time: seconds(second),
			Node: map[bool]string{true: "n1"}[kind == statelog.Intent],
		}
	}
	done := func(task, instance, number, second int) statelog.Record {
		rec := attempt(statelog.Done, task, instance, number, second)
		rec.Start, rec.Delay = seconds(second-1), -1
		return rec
	}
	again, failed, generated := done(0, 1, 1, 5), done(0, 1, 2, 20), done(1, 0, 1, 6)
	again.Class, again.Reason, again.Delay = statelog.Failure, "exit 3", 10*time.Second
	again.Result = &executor.Result{ExitCode: 3, Node: "n2"}
	failed.Class, failed.Reason = statelog.OutOfMemory, "out of memory"
	failed.Result = &executor.Result{ExitCode: -1, Signal: "SIGKILL", MaxRSS: 1 << 30}
	generated.Output = []byte(`{"x": {"command": ["x", "{{ONE}}"]}, "y": {"command": ["y"]}}`)
	started := attempt(statelog.Started, 0, 0, 1, 3)
	started.Node, started.Ref = "n3", "4711"
	lost := attempt(statelog.Lost, 4, 0, 1, 8)
	lost.Start, lost.Class, lost.Delay = seconds(7), statelog.Infrastructure, time.Second
	return []statelog.Record{
		{
			Kind: statelog.Opened, Time: at, Engine: "e1", Opened: &statelog.Opening{
				Version: statelog.Version, Expansion: expand.Version, Tags: d.Tags,
				Definition: func() *dag.DAG { return d },
			},
		},
		attempt(statelog.Intent, 0, 0, 1, 1), attempt(statelog.Intent, 0, 1, 1, 2), started,
		done(0, 0, 1, 4), again, attempt(statelog.Intent, 1, 0, 1, 5), generated,
		attempt(statelog.Intent, 4, 0, 1, 7), lost,
		attempt(statelog.Intent, 0, 1, 2, 15), failed,
		attempt(statelog.Intent, 5, 0, 1, 21), attempt(statelog.NotStarted, 5, 0, 1, 22),
		{Kind: statelog.Decided, Decision: statelog.Kill, Task: 5, Time: seconds(23), Reason: "no"},
		{Kind: statelog.Closed, State: "failed", Time: seconds(30), Reason: "pull_2 failed"},
	}
}

// documents returns all documents of a server as lines, whatever their kind.
func documents(t *testing.T, client *redis.Client, get func(key string) (string, error)) string {
	t.Helper()
	names := []string{
		"run", "run/pull_1", "run/pull_2", "run/pull_3", "run/plan", "run/report", "run/all",
		"run/x_1", "run/y",
	}
	var b strings.Builder
	for _, name := range names {
		document, err := get("{daggy}:document:" + name)
		if err != nil {
			require.ErrorIs(t, err, redis.Nil, name)
			document = "none"
		}
		b.WriteString(name + " " + document + "\n")
	}
	behind, err := client.SMembers(t.Context(), "{daggy}:behind").Result()
	require.NoError(t, err)
	require.Empty(t, behind)
	return b.String()
}

var updateDocuments = flag.Bool("update-documents", false, "write the golden documents anew")

// The documents of a server with the JSON module and those of one without are
// the same, and so are those that were written all at once or bit by bit.
func TestDocuments(t *testing.T) {
	t.Parallel()
	golden := filepath.Join("testdata", "documents.txt")
	for name, module := range map[string]bool{"plain": false, "module": true} {
		for size := range slices.Values([]int{1, 100}) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				m, client := connect(t)
				get := func(key string) (string, error) {
					return client.Get(t.Context(), key).Result()
				}
				if module {
					jsonModule(t, m)
					get = func(key string) (string, error) {
						return client.Do(t.Context(), "JSON.GET", key).Text()
					}
				}
				log := open(t, client, redislog.Config{})
				after := uint64(0)
				for batch := range slices.Chunk(story(), size) {
					appended(t, log, "run", after, batch...)
					after += uint64(len(batch))
				}
				require.NoError(t, log.Close())
				got := documents(t, client, get)
				if *updateDocuments && size == 1 && !module {
					require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
				}
				want, err := os.ReadFile(golden)
				require.NoError(t, err)
				require.Equal(t, string(want), got)
			})
		}
	}
}

// A key of the other kind is replaced when a module is added.
func TestDocumentsChangeTheirKind(t *testing.T) {
	t.Parallel()
	m, client := connect(t)
	log := open(t, client, redislog.Config{})
	appended(t, log, "run", 0, story()[:4]...)
	require.NoError(t, log.Close())
	require.True(t, m.Exists("{daggy}:document:run"))
	jsonModule(t, m, "{daggy}:document:run")
	log = open(t, client, redislog.Config{})
	appended(t, log, "run", 4, story()[4:]...)
	require.NoError(t, log.Close())
	require.False(t, m.Exists("{daggy}:document:run"))
	got, err := client.Do(t.Context(), "JSON.GET", "{daggy}:document:run").Text()
	require.NoError(t, err)
	require.Contains(t, got, `"seq":16`)
}

// What a program that died left behind is written by the next.
func TestDocumentsCatchUp(t *testing.T) {
	t.Parallel()
	m, client := connect(t)
	dying := redis.NewClient(&redis.Options{Addr: m.Addr(), MaxRetries: -1})
	log, err := redislog.New(dying, redislog.Config{})
	require.NoError(t, err)
	appended(t, log, "run", 0, story()...)
	require.NoError(t, dying.Close())
	_ = log.Close() // it may or may not have come so far

	next := open(t, client, redislog.Config{})
	appended(t, next, "other", 0, opened())
	require.NoError(t, next.Close())
	want, err := os.ReadFile(filepath.Join("testdata", "documents.txt"))
	require.NoError(t, err)
	get := func(key string) (string, error) { return client.Get(t.Context(), key).Result() }
	require.Equal(t, string(want), documents(t, client, get))
}

// They are written while the run goes on, not only in the end.
func TestDocumentsFollowTheRun(t *testing.T) {
	t.Parallel()
	m, client := connect(t)
	log := open(t, client, redislog.Config{})
	recs := story()
	for i, rec := range recs {
		appended(t, log, "run", uint64(i), rec)
		if i%5 != 0 {
			continue
		}
		require.Eventually(t, func() bool {
			document, err := m.Get("{daggy}:document:run")
			var run struct{ Seq int }
			return err == nil && json.Unmarshal([]byte(document), &run) == nil && run.Seq == i+1
		}, 30*time.Second, time.Millisecond)
	}
}

func TestNoDocuments(t *testing.T) {
	t.Parallel()
	m, client := connect(t)
	log := open(t, client, redislog.Config{NoDocuments: true})
	appended(t, log, "run", 0, story()...)
	require.NoError(t, log.Close())
	for _, key := range m.Keys() {
		require.NotContains(t, key, "document")
		require.NotContains(t, key, "behind")
	}
}

// Documents go with their run.
func TestPruneRemovesDocuments(t *testing.T) {
	t.Parallel()
	m, client := connect(t)
	log := open(t, client, redislog.Config{})
	appended(t, log, "run", 0, story()...)
	appended(t, log, "run/x_1", 0, opened())
	require.NoError(t, log.Close())
	require.True(t, m.Exists("{daggy}:document:run/x_1"))
	removed, err := log.Prune(t.Context(), statelog.Retention{Age: time.Nanosecond})
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	require.True(t, m.Exists("{daggy}:document:run%2Fx_1"), "of another run")
	for _, key := range m.Keys() {
		require.NotContains(t, key, "document:run/")
		require.NotContains(t, key, ":past:")
	}
	require.False(t, m.Exists("{daggy}:document:run"))
	require.False(t, m.Exists("{daggy}:removed"))
}
