package statelog

import (
	"slices"
	"time"
)

// Running is the State of a run that is not closed, whether an engine is at
// work on it or not.
const Running = "running"

// A Query selects runs. The zero Query selects all of them.
type Query struct {
	// Tags that a run must have, with these values.
	Tags map[string]string
	// States of which a run must have one. A run that is not closed is
	// [Running] here, whether an engine is at work on it or not.
	States []string
	// Since and Until bound the time the run was opened: at or after Since and
	// before Until. Zero: no bound.
	Since, Until time.Time
	// Limit is the largest number of runs to yield. 0: no limit.
	Limit int
}

// Match reports whether q selects the run, its Limit aside.
func (q Query) Match(info RunInfo) bool {
	for key, value := range q.Tags {
		if has, ok := info.Tags[key]; !ok || has != value {
			return false
		}
	}
	switch {
	case len(q.States) > 0 && !slices.Contains(q.States, info.State):
		return false
	case !q.Since.IsZero() && info.Opened.Before(q.Since):
		return false
	case !q.Until.IsZero() && !info.Opened.Before(q.Until):
		return false
	}
	return true
}

// RunInfo is what a log says of a run without reading all of it.
type RunInfo struct {
	Run string
	// Tags of the DAG. Not to be altered.
	Tags map[string]string
	// State is [Running], or the State of the Closed record.
	State  string
	Opened time.Time
	// Closed is zero while the run is not closed.
	Closed time.Time
	// Seq of the last record.
	Seq uint64
}

// Add brings info up to date with the next record of its run. Logs keep what
// they say of a run with it: starting from RunInfo{Run: id}, they add every
// record that they append.
func (info *RunInfo) Add(rec *Record) {
	info.Seq++
	switch rec.Kind {
	case Opened:
		info.State, info.Opened = Running, rec.Time
		if rec.Opened != nil {
			info.Tags = rec.Opened.Tags
		}
	case Closed:
		info.State, info.Closed = rec.State, rec.Time
	case Reopened:
		info.State, info.Closed = Running, time.Time{}
	default:
	}
}
