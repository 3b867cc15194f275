package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/daggy-go/daggy/runner/internal/plan"
	"github.com/daggy-go/daggy/statelog"
)

const (
	defaultStoreTimeout = 10 * time.Minute
	// storeTry bounds one call of the log: what takes longer is tried again, or
	// looked up.
	storeTry = 30 * time.Second
)

// storePause is how long to wait before a log is asked again.
var storePause = plan.Backoff{Min: 50 * time.Millisecond, Max: 5 * time.Second}

// store appends records however long the log is away, within
// [Runner.StoreTimeout]. Nothing starts meanwhile, since what starts follows its
// record; what runs goes on, and what ends waits in the plan (L5). It is called
// without mu, by one goroutine at a time. The last records of a run outlive the
// end of its context.
func (e *engine) store(after uint64, recs []statelog.Record) (uint64, error) {
	since := time.Now()
	for n := 1; ; n++ {
		seq, err := e.storeOnce(e.appends, after, recs)
		if err == nil {
			e.logIsBack(since, n)
			return seq, nil
		}
		if lost(err) || e.appends.Err() != nil {
			return 0, err
		}
		if timeout := e.storeTimeout(); timeout > 0 && time.Since(since) > timeout {
			return 0, fmt.Errorf("runner: the state log has been away for %v: %w", timeout, err)
		}
		e.logIsAway(err, n)
		// Once more when the run's time is over, too: what ends last is recorded.
		passes(storePause.Delay(after, 0, n), e.appends.Done())
	}
}

// storeOnce appends records, and finds out whether they were added if the log
// does not say so.
func (e *engine) storeOnce(
	ctx context.Context, after uint64, recs []statelog.Record,
) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTry)
	defer cancel()
	seq, err := e.log.Append(ctx, e.run, after, recs)
	if !e.doubtful && !errors.Is(err, statelog.ErrAmbiguous) {
		return seq, err
	}
	// Once an append is in doubt, one that is refused may have been refused
	// because the one before it was late.
	if err == nil {
		e.doubtful = false
		return seq, nil
	}
	e.doubtful = true
	if !errors.Is(err, statelog.ErrAmbiguous) && !errors.Is(err, statelog.ErrFenced) {
		return 0, err
	}
	return e.lookUp(ctx, after, recs, err)
}

// lookUp resolves an append in doubt by reading back (L3). err is what the log
// said, and stands if nothing was added. Records that were added are of no use if
// another engine has taken up the run since.
func (e *engine) lookUp(
	ctx context.Context, after uint64, recs []statelog.Record, err error,
) (uint64, error) {
	found := after
	for rec, readErr := range e.log.Read(ctx, e.run, after) {
		if readErr != nil {
			if errors.Is(readErr, statelog.ErrNoRun) && after == 0 {
				break
			}
			// It is still in doubt, even if err says that the append was fenced.
			return 0, fmt.Errorf("%s; and it cannot be looked up: %w", err.Error(), readErr)
		}
		first := found == after
		if takesUp(rec.Kind) && rec.Engine != e.id || first && !mayBe(&rec, &recs[0]) {
			e.doubtful = false
			return 0, fmt.Errorf("runner: another engine has the run: %w", statelog.ErrFenced)
		}
		found++
	}
	switch n := found - after; {
	case n == uint64(len(recs)):
		e.doubtful = false
		return found, nil
	case n > 0:
		return 0, &statelog.CorruptError{
			Path: "run " + e.run, Offset: -1, Seq: found + 1,
			Err: errors.New("a batch was added in part"),
		}
	case errors.Is(err, statelog.ErrFenced):
		return 0, err
	}
	// It was not added so far, and may be yet. It is appended again after the
	// same record, so that it is added once.
	return 0, &notAddedError{err}
}

// mayBe reports whether rec, which follows the last record that was known, can be
// the one that was to be added first there. Whoever takes up the run adds a record
// that says so first of all. Any other is from the engine that had the run before.
func mayBe(rec, first *statelog.Record) bool { return takesUp(rec.Kind) == takesUp(first.Kind) }

// notAddedError hides that an append was in doubt once it is known that it added
// nothing.
type notAddedError struct{ err error }

func (e *notAddedError) Error() string { return "the records were not added: " + e.err.Error() }

func takesUp(k statelog.Kind) bool {
	return k == statelog.Opened || k == statelog.Resumed || k == statelog.Reopened
}

// logIsAway takes note of a log that does not take records.
func (e *engine) logIsAway(err error, n int) {
	if n == 1 {
		e.logger.Warn("state log is away, nothing new starts",
			slog.String("run", e.run), slog.Any("err", err))
	}
	e.mu.Lock()
	e.away = err
	e.mu.Unlock()
}

func (e *engine) logIsBack(since time.Time, n int) {
	if n == 1 {
		return
	}
	e.logger.Warn("state log is back",
		slog.String("run", e.run), slog.Duration("after", time.Since(since)))
	e.mu.Lock()
	e.away = nil
	e.mu.Unlock()
}

// storeTimeout is negative if there is no bound.
func (e *engine) storeTimeout() time.Duration {
	if e.runner.StoreTimeout == 0 {
		return defaultStoreTimeout
	}
	return e.runner.StoreTimeout
}

// storeFirst appends the record with which this engine takes the run. Nobody
// waits for a log that is away then: nothing has started.
func (e *engine) storeFirst(ctx context.Context, rec statelog.Record) error {
	// A context that has ended already interrupts the run, like one that ends a
	// moment later.
	recs := []statelog.Record{rec}
	ctx = context.WithoutCancel(ctx)
	seq, err := e.storeOnce(ctx, e.seq, recs)
	for n := 1; err != nil && e.doubtful && n <= 3; n++ {
		seq, err = e.storeOnce(ctx, e.seq, recs)
	}
	if err != nil {
		return err
	}
	e.doubtful = false
	e.seq = seq
	return nil
}
