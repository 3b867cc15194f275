package statelog

import (
	"context"
	"iter"
	"time"
)

// A StateLogger keeps the records of runs.
//
// An implementation is safe for concurrent use, keeps the rules in the package
// comment, and is checked by package statelogtest.
type StateLogger interface {
	// Append adds recs to the run, all or nothing, and returns the number of
	// the last one. They are durable when it returns nil. after is the number
	// of the last record that the caller knows; 0 opens a run. If the log is
	// further than that, nothing is added and the error is ErrFenced. If it is
	// unknown whether they were added, the error is ErrAmbiguous. The log sets
	// Seq itself, and keeps neither recs nor what they point to, except that
	// Result, Opened and Output may be kept and are never altered by anyone.
	// One Append a run at a time.
	Append(ctx context.Context, run string, after uint64, recs []Record) (uint64, error)
	// Read yields the run's records after the given number, up to the last one
	// that was durable when Read was called, in order. It holds no lock while
	// it yields. An error is the last thing it yields; a run that the log does
	// not have is ErrNoRun.
	Read(ctx context.Context, run string, after uint64) iter.Seq2[Record, error]
	// Runs yields what matches q, the newest run first.
	Runs(ctx context.Context, q Query) iter.Seq2[RunInfo, error]
}

// A Locker is a log that lets one engine at a time have a run. Optional.
type Locker interface {
	// Lock fails with ErrActive while another engine has the run.
	Lock(ctx context.Context, run, engine string) (release func() error, err error)
}

// Immediate is a log whose Append takes no longer than storing the records in
// memory. The runner then appends where it stands instead of waiting for the
// log elsewhere. Optional.
type Immediate interface{ Immediate() bool }

// A Query selects runs. The zero Query selects all of them.
type Query struct {
	// Tags that a run must have, with these values.
	Tags map[string]string
	// States of which a run must have one. A run that is not closed is
	// "running" here, whether an engine is at work on it or not.
	States []string
	// Since and Until bound the time the run was opened: at or after Since and
	// before Until. Zero: no bound.
	Since, Until time.Time
	// Limit is the largest number of runs to yield. 0: no limit.
	Limit int
}

// RunInfo is what a log says of a run without reading all of it.
type RunInfo struct {
	Run    string
	Tags   map[string]string
	State  string
	Opened time.Time
	// Closed is zero while the run is not closed.
	Closed time.Time
	// Seq of the last record.
	Seq uint64
}
