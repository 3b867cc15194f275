package sqllog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/daggy-go/daggy/internal/integration/servertest"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/sqllog"
)

// Engines append while the server is killed, stopped and paused under them.
// Whatever was acknowledged is there in the end, once, and in order, and nothing
// is there that its engine does not know of.
func TestNothingIsLostOrDoubledWhileTheServerFails(t *testing.T) {
	t.Parallel()
	const engines, rounds = 6, 12
	pg := servertest.StartPostgres(t)
	db := pg.Open(t)
	db.SetMaxIdleConns(engines) // or most of them are about to connect when it fails
	log := newLog(t, db, sqllog.Config{Dialect: sqllog.Postgres})
	tally := newTally()
	group, ctx := errgroup.WithContext(t.Context())
	over := make(chan struct{})
	all := make([]*engine, engines)
	for i := range all {
		all[i] = &engine{log: log, tally: tally, run: fmt.Sprint("run ", i), task: 1000 * i}
		group.Go(func() error { return all[i].work(ctx, over) })
	}
	for round := range rounds {
		tally.await(t, "acknowledged", 20)
		fail(t, pg, tally, round)
	}
	tally.await(t, "acknowledged", 20)
	close(over)
	require.NoError(t, group.Wait())
	for _, e := range all {
		e.check(t)
	}
	t.Logf("%v", tally.total)
	require.Positive(t, tally.total["ambiguous"], "no answer was ever lost")
	require.Positive(t, tally.total["refused"], "the server was never away")
}

// fail has the server fail and come back.
func fail(t *testing.T, pg *servertest.Postgres, tally *tally, round int) {
	t.Helper()
	switch round % 3 {
	case 0:
		pg.Kill(t)
		tally.await(t, "refused", 3)
		pg.Start(t)
	case 1:
		// What was sent to it lingers, and is done when it goes on. Engines that have no
		// connection get none, and lose no answer: there may be too few others.
		for lost := 0; lost < 3; {
			pg.Pause(t)
			lost += tally.during(2*patience, "ambiguous", 3-lost)
			pg.Continue(t)
			tally.await(t, "acknowledged", 1)
		}
	default:
		pg.Stop(t)
		pg.Start(t) // at once: the pool is full of connections that are gone
	}
}

// An engine appends batch after batch to a run of its own.
type engine struct {
	log   *sqllog.Log
	tally *tally
	run   string
	task  int
	known []int // the tasks of the records that it knows to be there
}

func (e *engine) work(ctx context.Context, over <-chan struct{}) error {
	for {
		select {
		case <-over:
			return nil
		case <-ctx.Done():
			return nil
		default:
		}
		batch := e.batch()
		acknowledged, err := e.append(ctx, batch)
		switch {
		case err == nil && acknowledged:
			e.tally.add("acknowledged")
			for _, rec := range batch {
				e.known = append(e.known, rec.Task)
			}
		case errors.Is(err, statelog.ErrAmbiguous):
			e.tally.add("ambiguous")
			if err := e.readBack(ctx, batch); err != nil {
				return err
			}
		case errors.Is(err, statelog.ErrFenced), errors.Is(err, statelog.ErrNoRun),
			errors.Is(err, statelog.ErrLogRewound):
			return fmt.Errorf("there is no other engine: %w", err)
		default:
			e.tally.add("refused")
		}
	}
}

// batch makes records that nobody has made before.
func (e *engine) batch() []statelog.Record {
	recs := make([]statelog.Record, 1+rand.IntN(20))
	for i := range recs {
		e.task++
		recs[i] = statelog.Record{Kind: statelog.Intent, Time: time.Now(), Task: e.task, Attempt: 1}
	}
	return recs
}

// patience is short, so that a server that is paused is given up soon, and long enough
// for a slow one to take a connection: it would only make new ones otherwise.
const patience = 2 * time.Second

func (e *engine) append(ctx context.Context, batch []statelog.Record) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	end, err := e.log.Append(ctx, e.run, uint64(len(e.known)), batch)
	if err == nil && end != uint64(len(e.known)+len(batch)) {
		return false, fmt.Errorf("%s ends with %d: %w", e.run, end, statelog.ErrFenced)
	}
	return err == nil, err
}

// readBack finds out what became of a batch.
func (e *engine) readBack(ctx context.Context, batch []statelog.Record) error {
	for ctx.Err() == nil {
		tasks, err := e.read(ctx)
		if err != nil && !errors.Is(err, statelog.ErrNoRun) {
			e.tally.add("refused")
			continue
		}
		switch len(tasks) - len(e.known) {
		case 0:
			e.tally.add("not applied")
			return nil
		case len(batch):
			e.tally.add("applied")
			e.known = tasks
			return nil
		}
		return fmt.Errorf("%s has %d records, %d are known and %d in doubt",
			e.run, len(tasks), len(e.known), len(batch))
	}
	return ctx.Err()
}

func (e *engine) read(ctx context.Context) (tasks []int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*patience)
	defer cancel()
	for rec, err := range e.log.Read(ctx, e.run, 0) {
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, rec.Task)
	}
	return tasks, nil
}

func (e *engine) check(t *testing.T) {
	t.Helper()
	tasks, err := e.read(t.Context())
	require.NoError(t, err)
	require.Equal(t, e.known, tasks, e.run)
}

// A tally counts what happens, and lets a test wait for it.
type tally struct {
	mu    sync.Mutex
	total map[string]int
	news  chan struct{}
}

func newTally() *tally { return &tally{total: map[string]int{}, news: make(chan struct{})} }

func (y *tally) add(what string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.total[what]++
	close(y.news)
	y.news = make(chan struct{})
}

func (y *tally) see(what string) (int, <-chan struct{}) {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.total[what], y.news
}

// await waits until it has happened so many more times.
func (y *tally) await(t *testing.T, what string, times int) {
	t.Helper()
	if y.during(3*time.Minute, what, times) < times {
		require.FailNow(t, "it does not happen", "%s: %v", what, y.total)
	}
}

// during waits for that, but not for longer, and returns how many times it has happened.
func (y *tally) during(d time.Duration, what string, times int) int {
	over := time.After(d)
	before, news := y.see(what)
	for n := before; ; n, news = y.see(what) {
		if n-before >= times {
			return n - before
		}
		select {
		case <-news:
		case <-over:
			return n - before
		}
	}
}
