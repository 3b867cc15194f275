package redislog_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/daggy-go/daggy/internal/integration/servertest"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/redislog"
)

// impatient is a client that gives up soon.
func impatient(server *servertest.Redis) *redis.Options {
	o := server.Options()
	o.ReadTimeout, o.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	o.DialTimeout, o.DialerRetries = 100*time.Millisecond, 1
	return o
}

// A writer appends to a run as an engine does, whatever happens to the server.
type writer struct {
	log *redislog.Log
	run string
	// tasks that were acknowledged, or read back.
	tasks []int
	// of what happened
	ambiguous, applied, refused int
	appends                     *atomic.Int64
}

// write appends until ctx ends.
func (w *writer) write(ctx context.Context) error {
	for ctx.Err() == nil {
		n := len(w.tasks)
		batch := []statelog.Record{task(n), task(n + 1), task(n + 2)}
		end, err := w.log.Append(ctx, w.run, uint64(n), batch)
		switch {
		case err == nil && end == uint64(n+3):
			w.tasks = append(w.tasks, n, n+1, n+2)
			w.appends.Add(1)
		case errors.Is(err, statelog.ErrAmbiguous):
			w.ambiguous++
			if err := w.readBack(ctx); err != nil {
				return err
			}
		case errors.Is(err, statelog.ErrFenced), errors.Is(err, statelog.ErrLogRewound),
			errors.Is(err, statelog.ErrNoRun), err == nil:
			return fmt.Errorf("%s after %d: end %d: %w", w.run, n, end, err)
		default:
			// The log may be able to append later (L5).
			w.refused++
			pause(ctx)
		}
	}
	return nil
}

// readBack finds out whether a batch was added (L3).
func (w *writer) readBack(ctx context.Context) error {
	for ctx.Err() == nil {
		tasks, err := tasksOf(ctx, w.log, w.run)
		if errors.Is(err, statelog.ErrNoRun) && len(w.tasks) == 0 {
			return nil
		}
		if errors.Is(err, statelog.ErrLogRewound) || errors.Is(err, statelog.ErrNoRun) {
			return err
		}
		if err != nil {
			pause(ctx)
			continue
		}
		if n := len(tasks) - len(w.tasks); n != 0 && n != 3 {
			return fmt.Errorf("%s: %d records were added of 3", w.run, n)
		} else if n == 3 {
			w.applied++
		}
		w.tasks = tasks
		return nil
	}
	return nil
}

func pause(ctx context.Context) {
	timer := time.NewTimer(5 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func task(n int) statelog.Record {
	return statelog.Record{Kind: statelog.Intent, Time: time.Now(), Task: n, Attempt: 1}
}

func tasksOf(ctx context.Context, log statelog.StateLogger, run string) ([]int, error) {
	var tasks []int
	for rec, err := range log.Read(ctx, run, 0) {
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, rec.Task)
	}
	return tasks, nil
}

// writeThrough has writers append, each to a run of its own through a Log of its
// own, while trouble is made again and again, and checks that nothing that was
// acknowledged is lost or there twice.
func writeThrough(t *testing.T, server *servertest.Redis, trouble func()) []*writer {
	t.Helper()
	const troubles = 10
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	var appends atomic.Int64
	var writers []*writer
	for i := range 4 {
		log := open(t, client(t, impatient(server)), redislog.Config{NoDocuments: true})
		w := &writer{log: log, run: fmt.Sprint("run ", i), appends: &appends}
		writers = append(writers, w)
		group.Go(func() error { return w.write(ctx) })
	}
	for range troubles {
		// Some are acknowledged in between.
		enough := appends.Load() + 20
		for appends.Load() < enough && ctx.Err() == nil {
			pause(ctx)
		}
		trouble()
	}
	cancel()
	require.NoError(t, group.Wait())
	reader := open(t, client(t, server.Options()), redislog.Config{NoDocuments: true})
	for _, w := range writers {
		tasks, err := tasksOf(t.Context(), reader, w.run)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(tasks), len(w.tasks), "acknowledged records are lost")
		for i, task := range tasks {
			require.Equal(t, i, task, "%s, record %d", w.run, i+1)
		}
		t.Logf("%s: %d records, %d ambiguous of which %d added, %d refused",
			w.run, len(tasks), w.ambiguous, w.applied, w.refused)
	}
	return writers
}

func TestNothingIsLostWhenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t, servertest.AppendAlways...)
	writeThrough(t, server, func() {
		server.Kill(t)
		server.Start(t)
	})
}

// What clients gave up arrives when the server goes on.
func TestNothingIsThereTwiceWhenTheServerHangs(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t, servertest.AppendAlways...)
	writers := writeThrough(t, server, func() {
		server.Pause(t)
		// Longer than clients wait, twice.
		timer := time.NewTimer(500 * time.Millisecond)
		defer timer.Stop()
		<-timer.C
		server.Continue(t)
	})
	ambiguous := 0
	for _, w := range writers {
		ambiguous += w.ambiguous
	}
	require.Positive(t, ambiguous, "no answer was lost")
}

// rewound expects the log to refuse whatever is asked about the run.
func rewound(t *testing.T, log *redislog.Log, run string, after uint64) {
	t.Helper()
	_, err := log.Append(t.Context(), run, after, []statelog.Record{task(int(after))})
	require.ErrorIs(t, err, statelog.ErrLogRewound)
	_, err = tasksOf(t.Context(), log, run)
	require.ErrorIs(t, err, statelog.ErrLogRewound)
}

func fill(t *testing.T, log *redislog.Log, run string, after, n int) {
	t.Helper()
	for i := after; i < after+n; i++ {
		_, err := log.Append(t.Context(), run, uint64(i), []statelog.Record{task(i)})
		require.NoError(t, err)
	}
}

func TestServerWithoutPersistenceIsNoticed(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t, servertest.InMemory...)
	log := open(t, client(t, server.Options()), redislog.Config{NoDocuments: true})
	fill(t, log, "run", 0, 3)
	server.Kill(t)
	server.Start(t)
	rewound(t, log, "run", 3)
}

// An old copy of the server's files, as of a machine that lost its last second.
func TestRestoredServerIsNoticed(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t, servertest.AppendEverySecond...)
	log := open(t, client(t, server.Options()), redislog.Config{NoDocuments: true})
	fill(t, log, "run", 0, 3)
	server.Stop(t)
	files, saved := filepath.Join(server.Dir(), "appendonlydir"), t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(saved, "copy"), os.DirFS(files)))
	server.Start(t)
	fill(t, log, "run", 3, 3)
	server.Kill(t)
	require.NoError(t, os.RemoveAll(files))
	require.NoError(t, os.CopyFS(files, os.DirFS(filepath.Join(saved, "copy"))))
	server.Start(t)
	rewound(t, log, "run", 6)

	anew := open(t, client(t, server.Options()), redislog.Config{NoDocuments: true})
	tasks, err := tasksOf(t.Context(), anew, "run")
	require.NoError(t, err)
	require.Equal(t, []int{0, 1, 2}, tasks, "a new Log goes on from what there is")
	fill(t, anew, "run", 3, 1)
}
