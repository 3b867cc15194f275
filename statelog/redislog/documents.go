package redislog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/statelog"
)

const (
	// documentsPause lets what changes often be written once.
	documentsPause = 50 * time.Millisecond
	// documentsRetry is the first pause after a failure, and documentsPatience
	// the longest.
	documentsRetry, documentsPatience = time.Second, 30 * time.Second
	// documentsFlush is how many are written at a time.
	documentsFlush = 256
	// documentsClose is how long Close writes what is left.
	documentsClose = 5 * time.Second
	// documentsIdle is how long an open run is kept in mind that does not grow.
	documentsIdle = 10 * time.Minute
)

// documents writes what other programs read, beside the appends. It works from
// the log alone: what a program leaves unwritten is written by the next that
// uses the log.
type documents struct {
	log  *Log
	wake chan struct{}

	// mu guards the fields below.
	mu     sync.Mutex
	behind map[string]bool
	ended  chan struct{} // closed when work has ended; nil: it was not started
	stop   context.CancelFunc

	// Of work, and of close once that has ended.
	asked bool // what other programs left was asked for
	folds map[string]*fold
}

func newDocuments(l *Log) *documents {
	return &documents{
		log: l, wake: make(chan struct{}, 1),
		behind: make(map[string]bool), folds: make(map[string]*fold),
	}
}

// appended notes that a run has grown.
func (d *documents) appended(run string) {
	d.mu.Lock()
	d.behind[run] = true
	if d.ended == nil {
		ctx, cancel := context.WithCancel(context.Background())
		d.ended, d.stop = make(chan struct{}), cancel
		go d.work(ctx)
	}
	d.mu.Unlock()
	d.signal()
}

func (d *documents) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// close writes what is behind.
func (d *documents) close() error {
	d.mu.Lock()
	ended, stop := d.ended, d.stop
	d.mu.Unlock()
	if ended == nil {
		return nil
	}
	stop()
	<-ended
	ctx, cancel := context.WithTimeout(context.Background(), documentsClose)
	defer cancel()
	return d.catchUp(ctx)
}

// work writes until ctx ends.
func (d *documents) work(ctx context.Context) {
	defer close(d.ended)
	retry := documentsRetry
	for ctx.Err() == nil {
		pause := documentsPause
		if err := d.catchUp(ctx); err != nil && ctx.Err() == nil {
			d.log.logger.Warn("documents are behind", slog.Any("err", err))
			pause, retry = retry, min(2*retry, documentsPatience)
			d.signal()
		} else {
			retry = documentsRetry
		}
		if !wait(ctx, pause) {
			return
		}
		select {
		case <-ctx.Done():
		case <-d.wake:
		}
	}
}

// wait reports whether ctx did not end before.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// catchUp writes the documents of all runs that are behind. One that cannot be
// written does not keep the others from it.
func (d *documents) catchUp(ctx context.Context) error {
	if err := d.ask(ctx); err != nil {
		return err
	}
	var failed error
	for _, run := range d.take() {
		if failed != nil && ctx.Err() != nil {
			d.putBack(run)
			continue
		}
		err := d.catchUpRun(ctx, run)
		switch {
		case err == nil:
		case hopeless(err):
			d.log.logger.Warn("a run has no documents",
				slog.String("run", run), slog.Any("err", err))
		default:
			d.putBack(run)
			failed = errors.Join(failed, fmt.Errorf("redislog: documents of run %q: %w", run, err))
		}
	}
	d.trim()
	return failed
}

// hopeless reports whether trying again is no use.
func hopeless(err error) bool {
	_, corrupt := errors.AsType[*statelog.CorruptError](err)
	return corrupt || errors.Is(err, statelog.ErrLogRewound) || errors.Is(err, dag.ErrInvalid)
}

// ask finds what other programs left behind, once.
func (d *documents) ask(ctx context.Context) error {
	if d.asked {
		return nil
	}
	runs, err := d.log.client.SMembers(ctx, d.log.keys.behind).Result()
	if err != nil {
		return fmt.Errorf("redislog: documents: %w", err)
	}
	d.asked = true
	for _, run := range runs {
		d.putBack(run)
	}
	return nil
}

func (d *documents) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	runs := slices.Sorted(maps.Keys(d.behind))
	clear(d.behind)
	return runs
}

func (d *documents) putBack(run string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.behind[run] = true
}

// trim forgets what can be had again by reading the log anew.
func (d *documents) trim() {
	for run, f := range d.folds {
		if !f.run.Closed.IsZero() || time.Since(f.grown) > documentsIdle {
			delete(d.folds, run)
		}
	}
}

// catchUpRun writes the documents of one run.
func (d *documents) catchUpRun(ctx context.Context, run string) (err error) {
	f := d.folds[run]
	if f == nil {
		f = newFold(run)
		if f.written, err = d.written(ctx, run); err != nil {
			return err
		}
		d.folds[run] = f
	}
	f.grown = time.Now()
	defer func() {
		if err != nil {
			delete(d.folds, run)
		}
	}()
	for rec, err := range d.log.Read(ctx, run, f.run.Seq) {
		switch {
		case errors.Is(err, statelog.ErrNoRun):
			delete(d.folds, run)
			return d.log.client.SRem(ctx, d.log.keys.behind, run).Err()
		case err != nil:
			return err
		}
		if err := f.add(&rec); err != nil {
			return err
		}
		if rec.Seq <= f.written {
			clear(f.changed)
		} else if len(f.changed) >= documentsFlush {
			if err := d.flush(ctx, f); err != nil {
				return err
			}
		}
	}
	return d.flush(ctx, f)
}

// written returns up to which record the documents of a run are written.
func (d *documents) written(ctx context.Context, run string) (uint64, error) {
	seq, err := d.log.client.HGet(ctx, d.log.keys.run(run), "documents").Uint64()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	return seq, err
}

// flush writes what has changed.
func (d *documents) flush(ctx context.Context, f *fold) error {
	if f.run.Seq <= f.written {
		return nil
	}
	k := &d.log.keys
	run := f.run.Run
	c := call{
		script: documentsScript,
		keys:   []string{k.run(run), k.behind},
		args:   []any{run, strconv.FormatUint(f.run.Seq, 10)},
	}
	if err := c.put(k.runDocument(run), f.summary()); err != nil {
		return err
	}
	for at, document := range f.changed {
		if err := c.put(k.taskDocument(run, f.name(at)), document); err != nil {
			return err
		}
	}
	if _, err := d.log.do(ctx, c); err != nil {
		return err
	}
	f.written = f.run.Seq
	clear(f.changed)
	return nil
}

// put adds a document to those that a call writes.
func (c *call) put(key string, document any) error {
	data, err := json.Marshal(document)
	if err != nil {
		return err
	}
	c.keys = append(c.keys, key)
	c.args = append(c.args, data)
	return nil
}
