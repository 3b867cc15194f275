package sqllog

import (
	"context"
	"fmt"
	"sync"

	"github.com/daggy-go/daggy/statelog"
)

// A memory is what a Log remembers of the runs that it has appended to, from the
// first append until the run is closed, released or somebody else's.
type memory struct {
	// mu guards runs.
	mu   sync.Mutex
	runs map[string]remembered
}

type remembered struct {
	// end is the number of the last record that the database acknowledged. If it
	// has fewer, it has lost some.
	end uint64
	// doubt is an append of which nobody knows whether it was applied. Nil: none.
	doubt *doubt
}

// A doubt is an append that may be applied even now: it may be in the buffers of
// a server that stands still.
type doubt struct {
	token   int64
	opening bool
}

func (m *memory) set(run string, r remembered) {
	if m.runs == nil {
		m.runs = make(map[string]remembered)
	}
	m.runs[run] = r
}

// appended notes that a batch was acknowledged.
func (m *memory) appended(b *batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b.state != "" && b.state != statelog.Running {
		delete(m.runs, b.run)
		return
	}
	m.set(b.run, remembered{end: b.last})
}

// doubt notes that it is not known what became of a batch.
func (m *memory) doubt(b *batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.runs[b.run]
	r.doubt = &doubt{token: b.token, opening: b.after == 0}
	m.set(b.run, r)
}

// settled notes that a doubt is over.
func (m *memory) settled(run string, d *doubt) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.runs[run]; r.doubt == d {
		r.doubt = nil
		m.set(run, r)
	}
}

func (m *memory) forget(run string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.runs, run)
}

func (m *memory) end(run string) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.runs[run].end
}

func (m *memory) doubtOf(run string) *doubt {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.runs[run].doubt
}

// settle forbids an append that is in doubt, unless it is applied already: both
// it and what forbids it change the row of the run, one after the other. Whoever
// looks afterwards sees what will stay.
func (l *Log) settle(ctx context.Context, run string) error {
	d := l.memory.doubtOf(run)
	if d == nil {
		return nil
	}
	query := l.sql.void
	if d.opening {
		query = l.sql.voidOpening
	}
	if _, err := l.store.exec(ctx, query, run, d.token); err != nil {
		return fmt.Errorf("settle an append in doubt: %w", err)
	}
	l.memory.settled(run, d)
	return nil
}
