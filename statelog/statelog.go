package statelog

import (
	"context"
	"iter"
)

// A StateLogger keeps the records of runs.
//
// An implementation is safe for concurrent use, keeps the rules in the package
// comment, and is checked by package statelogtest.
type StateLogger interface {
	// Append adds recs to the run, all or nothing, and returns the number of
	// the last one. They are durable when it returns nil.
	//
	// after is the number of the last record that the caller knows; 0 opens a
	// run. If that is not the last one, nothing is added and the error is
	// ErrFenced; if there is no such run and after is not 0, it is ErrNoRun. If
	// it is unknown whether they were added, the error is ErrAmbiguous. After
	// any other error nothing was added. Without recs, Append only compares.
	//
	// The log numbers the records itself, whatever their Seq, and leaves recs as
	// they are. It keeps neither the slice nor what its elements point to, except
	// Result, Opened and Output, which nobody ever alters. If ctx ends before
	// they are added, nothing is.
	//
	// A caller has one Append a run under way at a time; another engine may have
	// another, and then one of them is fenced.
	Append(ctx context.Context, run string, after uint64, recs []Record) (uint64, error)
	// Read yields the run's records after the given number, up to the last one
	// that was durable when Read was called, in order. It holds no lock while
	// it yields: the loop may append to the same run. An error is the last thing
	// it yields; a run that the log does not have is ErrNoRun. What it yields is
	// not to be altered.
	Read(ctx context.Context, run string, after uint64) iter.Seq2[Record, error]
	// Runs yields what matches q as it was at the call, the run that was opened
	// last first. An error is the last thing it yields. It holds no lock while it
	// yields.
	Runs(ctx context.Context, q Query) iter.Seq2[RunInfo, error]
}

// A Locker is a log that lets one engine at a time have a run. Optional; find it
// with [As].
type Locker interface {
	// Lock gives the run to the engine of that ID until release is called or
	// the process ends. It fails with ErrActive while another engine has the
	// run. The run need not exist. release may be called more than once.
	Lock(ctx context.Context, run, engine string) (release func() error, err error)
}

// Leased is a [Locker] that gives a run for a time and renews that by itself, so
// that a lock can be lost. Optional; find it with [As].
type Leased interface {
	// OnLost has f called once, on a goroutine of its own, when the engine's
	// lock of the run could not be renewed: early enough before anybody else
	// can have it for work to be stopped. stop takes that back.
	OnLost(run, engine string, f func()) (stop func())
}

// Directory is a log that keeps its records in a directory of this machine, where
// they survive the program. The runner's default executor then keeps beside it
// what it needs to find its processes again. Optional; find it with [As].
type Directory interface {
	// Dir returns the directory.
	Dir() string
}

// Immediate is a log whose Append takes no longer than storing the records in
// memory. The runner then appends where it stands instead of waiting for the
// log elsewhere. Optional; find it with [As].
type Immediate interface {
	// Immediate reports whether that is so in this configuration.
	Immediate() bool
}

// As finds an ability of log, looking through wrappers that have a method
// Unwrap() StateLogger. A wrapper that changes an ability of what it wraps has
// that ability itself.
func As[T any](log StateLogger) (T, bool) {
	for log != nil {
		if t, ok := log.(T); ok {
			return t, true
		}
		wrapper, ok := log.(interface{ Unwrap() StateLogger })
		if !ok {
			break
		}
		log = wrapper.Unwrap()
	}
	var none T
	return none, false
}
