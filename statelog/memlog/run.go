package memlog

import (
	"sync"

	"github.com/daggy-go/daggy/statelog"
)

// A run is what the log has of one run.
type run struct {
	id    string
	order uint64 // of the runs' opening

	// mu guards the fields below. It is the last lock that anyone takes.
	mu      sync.Mutex
	records records
	info    statelog.RunInfo
	removed bool
}

// append adds recs if after is still the end. turned reports whether the run
// was closed or reopened by them.
func (r *run) append(after uint64, recs []statelog.Record) (end uint64, turned bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end = r.records.len()
	switch {
	case r.removed:
		return 0, false, statelog.ErrNoRun
	case after != end:
		return 0, false, statelog.ErrFenced
	}
	for i := range recs {
		rec := &recs[i]
		r.records.add(rec)
		switch rec.Kind {
		case statelog.Opened, statelog.Closed, statelog.Reopened:
			r.info.Add(rec)
			turned = turned || rec.Kind != statelog.Opened
		default:
		}
	}
	return end + uint64(len(recs)), turned, nil
}

// snapshot returns the records there are now. They are empty if the run was
// removed.
func (r *run) snapshot() records {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.removed {
		return records{}
	}
	return r.records
}

// describe reports false if there is nothing to describe.
func (r *run) describe() (statelog.RunInfo, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	info := r.info
	info.Run, info.Seq = r.id, r.records.len()
	return info, info.Seq > 0 && !r.removed
}

// remove drops the records, or reports false if only a closed run is to be
// removed and this one is not.
func (r *run) remove(onlyClosed bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if onlyClosed && r.info.Closed.IsZero() {
		return false
	}
	r.removed = true
	r.records = records{}
	return true
}
