package statelogtest

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"

	"github.com/daggy-go/daggy/statelog"
)

// Faulty is a log that does what Log does, except where its functions say
// otherwise. It is for tests of those who use logs. Its fields are set before
// its first use; it is safe for concurrent use if they are.
type Faulty struct {
	// Log has the records. Required.
	Log statelog.StateLogger
	// OnAppend says what happens to an Append. It may wait, which delays the
	// Append, if Waits is set. Nil: all of them succeed.
	OnAppend func(ctx context.Context, a Append) Fault
	// OnRead may return an error, which Read then yields. Nil: all of them
	// succeed.
	OnRead func(ctx context.Context, run string, after uint64) error
	// Waits says that Append is not immediate, even if Log's is.
	Waits bool

	appends atomic.Int64
}

var (
	_ statelog.StateLogger = (*Faulty)(nil)
	_ statelog.Immediate   = (*Faulty)(nil)
)

// An Append is a call of [Faulty.Append].
type Append struct {
	// N counts the calls from 1, over all runs.
	N int
	// The arguments. Records are not to be kept.
	Run     string
	After   uint64
	Records []statelog.Record
}

// A Fault is what happens to an Append. The zero Fault is none.
type Fault struct {
	// Err is returned. With nil, the Append is the log's own.
	Err error
	// Applied: the records are added all the same.
	Applied bool
	// Fenced: another engine goes on with the run just before, so that the
	// Append is refused, as are all that follow it from the same record.
	Fenced bool
}

// Ambiguous is the fault of a log that lost the answer: the error is
// ErrAmbiguous, whether the records were added or not.
func Ambiguous(applied bool) Fault {
	err := fmt.Errorf("statelogtest: the answer is lost: %w", statelog.ErrAmbiguous)
	return Fault{Err: err, Applied: applied}
}

// At returns a function for [Faulty.OnAppend] by which the n-th Append, counted
// from 1, has this fault and no other has any.
func At(n int, fault Fault) func(context.Context, Append) Fault {
	return func(_ context.Context, a Append) Fault {
		if a.N == n {
			return fault
		}
		return Fault{}
	}
}

// From is like [At] for the n-th Append and all that follow it.
func From(n int, fault Fault) func(context.Context, Append) Fault {
	return func(_ context.Context, a Append) Fault {
		if a.N >= n {
			return fault
		}
		return Fault{}
	}
}

// Append appends to Log unless OnAppend says otherwise.
func (f *Faulty) Append(
	ctx context.Context, run string, after uint64, recs []statelog.Record,
) (uint64, error) {
	n := int(f.appends.Add(1))
	var fault Fault
	if f.OnAppend != nil {
		fault = f.OnAppend(ctx, Append{N: n, Run: run, After: after, Records: recs})
	}
	if fault.Fenced {
		if err := f.intrude(ctx, run, after, recs); err != nil {
			return 0, err
		}
	}
	if fault.Err == nil {
		return f.Log.Append(ctx, run, after, recs)
	}
	if fault.Applied {
		if _, err := f.Log.Append(ctx, run, after, recs); err != nil {
			return 0, err
		}
	}
	return 0, fault.Err
}

// intrude does what an engine does that goes on with the run, or opens it.
func (f *Faulty) intrude(
	ctx context.Context, run string, after uint64, recs []statelog.Record,
) error {
	if len(recs) == 0 {
		return fmt.Errorf("statelogtest: appending nothing: %w", statelog.ErrFenced)
	}
	other := statelog.Record{Kind: statelog.Resumed}
	if after == 0 {
		other = recs[0]
	}
	other.Time, other.Engine = recs[0].Time, "another engine"
	_, err := f.Log.Append(ctx, run, after, []statelog.Record{other})
	return err
}

// Appends returns how many calls of Append there were.
func (f *Faulty) Appends() int { return int(f.appends.Load()) }

// Read reads from Log unless OnRead says otherwise.
func (f *Faulty) Read(
	ctx context.Context, run string, after uint64,
) iter.Seq2[statelog.Record, error] {
	if f.OnRead != nil {
		if err := f.OnRead(ctx, run, after); err != nil {
			return func(yield func(statelog.Record, error) bool) { yield(statelog.Record{}, err) }
		}
	}
	return f.Log.Read(ctx, run, after)
}

// Runs asks Log.
func (f *Faulty) Runs(ctx context.Context, q statelog.Query) iter.Seq2[statelog.RunInfo, error] {
	return f.Log.Runs(ctx, q)
}

// Immediate reports what Log reports, unless Waits is set.
func (f *Faulty) Immediate() bool {
	log, ok := statelog.As[statelog.Immediate](f.Log)
	return ok && log.Immediate() && !f.Waits
}

// Unwrap returns Log.
func (f *Faulty) Unwrap() statelog.StateLogger { return f.Log }
